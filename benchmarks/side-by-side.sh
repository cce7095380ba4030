#!/usr/bin/env bash
# side-by-side.sh WORKDIR: measures briefwerkd and the servers that users would pick instead, one after the other on
# this machine in one run, with the same generators, and prints a table of ratios (Markdown). Results stay in
# WORKDIR/results.jsonl. Takes a quarter of an hour a server.
# Env: PEERS (folder of the trial's scripts, default ../shared/peers), PEERS_LIST (default: sink
# postfix-dovecot-sdbox postfix-cyrus), SECONDS_PER_CELL (4), STEPS (smtp imap idle), SMTP_ARGS.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
peers=${PEERS:-$top/../shared/peers}
work=${1:?usage: side-by-side.sh WORKDIR}
[ -d "$peers" ] || { echo "the trial's scripts are not in $peers; set PEERS" >&2; exit 1; }
mkdir -p "$work"
work=$(cd "$work" && pwd)
out=$work/results.jsonl
seconds=${SECONDS_PER_CELL:-4}
steps=${STEPS:-smtp imap idle}
smtp_args=${SMTP_ARGS:---tls starttls --conns 16 --sizes 4096 --per-conn 1,1000}

# The scripts install and build beside themselves.
[ -d "$work/peers" ] || cp -r "$peers" "$work/peers"
make -s -C "$work/peers/src"
[ -e "$work/peers/installed" ] || { (cd "$work/peers" && ./install.sh) && touch "$work/peers/installed"; }

measure() { # measure DIR: all steps against the server that DIR/ports.json describes
  local dir=$1
  # shellcheck disable=SC2086
  case " $steps " in *" smtp "*) "$work/peers/load-smtp.py" --dir "$dir" --seconds "$seconds" $smtp_args --out "$out" ;; esac
  case " $steps " in *" imap "*) "$work/peers/load-imap.py" --dir "$dir" --what login,append,mbox10k,flags100k,notify --out "$out" ;; esac
}

echo "== briefwerk" >&2
"$top/benchmarks/up-briefwerk.sh" "$work/briefwerk" >/dev/null
measure "$work/briefwerk"
"$top/benchmarks/down-briefwerk.sh" "$work/briefwerk"
case " $steps " in *" idle "*)
  # Memory of a server that has done nothing else yet.
  "$top/benchmarks/up-briefwerk.sh" "$work/briefwerk" >/dev/null
  "$work/peers/load-imap.py" --dir "$work/briefwerk" --what idle --out "$out"
  "$top/benchmarks/down-briefwerk.sh" "$work/briefwerk" ;;
esac

list=${PEERS_LIST:-sink postfix-dovecot-sdbox postfix-cyrus}
(cd "$work/peers" && PEERS_LIST=$list STEPS=$steps SECONDS_PER_CELL=$seconds SMTP_ARGS=$smtp_args ./run-all.sh "$out" "$work/run")
python3 "$top/benchmarks/ratios.py" "$out"
