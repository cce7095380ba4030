#!/usr/bin/env bash
# imap-side-by-side.sh WORKDIR: the rows of IMAP, briefwerkd (release) and other servers one after the other with the same
# generators, then a table of ratios (Markdown). Results are added to WORKDIR/results.jsonl; filled mailboxes stay for the next
# run. A server is up only while it is measured.
# Env: PEERS (folder of the trial's scripts, installed; default ../shared/peers), PEERS_LIST (default: briefwerk
# postfix-dovecot-sdbox postfix-dovecot-maildir postfix-cyrus), STEPS (default: rows logins handshakes mload idle; handshakes
# needs build/release/benchmarks/logins), MESSAGES (100000),
# MILLION (servers that get a mailbox of a million; default: briefwerk postfix-dovecot-sdbox), IDLE_OTHERS (sessions that other
# servers get in the step idle, where each is a process or two; default 2000).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
peers=${PEERS:-$top/../shared/peers}
work=${1:?usage: imap-side-by-side.sh WORKDIR}
mkdir -p "$work"
work=$(cd "$work" && pwd)
out=$work/results.jsonl
steps=" ${STEPS:-rows logins handshakes mload idle} "
messages=${MESSAGES:-100000}
ulimit -n "$(ulimit -H -n)"
failed=0
measure() { # what fails leaves its rows out, and the rest is still measured
  "$@" || { echo "failed: $*" >&2; failed=1; }
}

up() {
  case $1 in
  briefwerk) "$top/benchmarks/up-briefwerk.sh" "$work/$1" ;;
  postfix-dovecot-sdbox) MAILFMT=sdbox "$peers/up-postfix-dovecot.sh" "$work/$1" ;;
  postfix-dovecot-maildir) MAILFMT=maildir "$peers/up-postfix-dovecot.sh" "$work/$1" ;;
  postfix-cyrus) "$peers/up-postfix-cyrus.sh" "$work/$1" ;;
  *) echo "unknown server $1" >&2; exit 2 ;;
  esac >/dev/null
}
down() {
  if [ "$1" = briefwerk ]; then "$top/benchmarks/down-briefwerk.sh" "$work/$1"; else "$peers/down.sh" "$work/$1" >/dev/null; fi
}
has() { case "$steps" in *" $1 "*) ;; *) return 1 ;; esac; }
indexed() { # until the index in the background has all of the mail
  [ "$1" = briefwerk ] || return 0
  for _ in $(seq 600); do
    "${BIN:-$top/build/release/apps}/briefwerkctl" --config "$work/$1/briefwerk.json" index status u05@bench.test |
      awk '$1 ~ /^u05@/ { ready = $2 == $3 } END { exit !ready }' && return 0
    sleep 2
  done
  echo "the index was not ready in time: searches of bodies are scanned" >&2
  failed=1
}

for server in ${PEERS_LIST:-briefwerk postfix-dovecot-sdbox postfix-dovecot-maildir postfix-cyrus}; do
  dir=$work/$server
  million=
  case " ${MILLION-briefwerk postfix-dovecot-sdbox} " in *" $server "*) million=--million ;; esac
  echo "== $(date +%T) $server, load $(cut -d' ' -f1-3 /proc/loadavg)" >&2
  if has idle; then # of a server that has done nothing else yet
    up "$server"
    sessions=${IDLE_OTHERS:-2000}
    [ "$server" = briefwerk ] && sessions=10000
    measure python3 "$top/benchmarks/imap_idle.py" "$dir" --sessions "$sessions" --out "$out"
    down "$server"
    if [ "$server" = briefwerk ]; then
      up "$server"
      measure python3 "$top/benchmarks/imap_idle.py" "$dir" --sessions "$sessions" --compress --out "$out"
      down "$server"
    fi
  fi
  up "$server"
  if has rows; then
    # The index of a million messages takes half an hour in the background: those rows without it, by a server of their own.
    [ "$server" = briefwerk ] && million=
    python3 "$top/benchmarks/imap_rows.py" "$dir" --messages "$messages" $million --fill
    indexed "$server"
    measure python3 "$top/benchmarks/imap_rows.py" "$dir" --messages "$messages" $million --out "$out"
  fi
  if has logins; then
    for kind in full resumed; do
      for connections in 1 8; do
        python3 - "$peers" "$dir" "$out" $kind $connections <<'END'
import argparse, sys
peers, directory, out, kind, connections = sys.argv[1:]
sys.path.insert(0, peers + "/lib")
import bench
options = argparse.ArgumentParser()
bench.add_target(options)
target = bench.Target(options.parse_args(["--dir", directory, "--out", out]))
resume = ["--resume"] if kind == "resumed" else []
for row in target.mload("login", "--tls", "implicit", "--conns", connections, "--seconds", 4, *resume, port="imaps", quiet=True):
    row["what"] = f"imap.login.{kind}.c{connections}"
    target.emit(row)
END
      done
    done
  fi
  if has handshakes; then measure python3 "$top/benchmarks/imap_logins.py" "$dir" --out "$out"; fi
  if has mload; then measure python3 "$peers/load-imap.py" --dir "$dir" --what append,mbox10k,flags100k,notify --out "$out"; fi
  down "$server"
  if has rows && [ "$server" = briefwerk ]; then
    case " ${MILLION-briefwerk postfix-dovecot-sdbox} " in *" briefwerk "*) ;; *) continue ;; esac
    BASE=22100 INDEX=0 "$top/benchmarks/up-briefwerk.sh" "$dir-million" >/dev/null
    measure python3 "$top/benchmarks/imap_rows.py" "$dir-million" --messages "$messages" --only-million --out "$out"
    "$top/benchmarks/down-briefwerk.sh" "$dir-million"
  fi
done
python3 "$top/benchmarks/ratios.py" "$out"
exit $failed
