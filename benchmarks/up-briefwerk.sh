#!/usr/bin/env bash
# up-briefwerk.sh DIR: starts a release briefwerkd on loopback high ports with the users u01..u20@bench.test (passwords
# pw-u01..pw-u20, test data) and writes DIR/ports.json and DIR/root.pid, in the form that the load generators of the
# side-by-side trial read. A second call on the same DIR restarts on the same state. Stop: benchmarks/down-briefwerk.sh DIR.
# Env: BASE (22000), NUSERS (20), PWSCHEME (PLAIN: the password is kept as it is, so that logins measure the server and
# not the hash; SCRAM: as a site would have it), BIN (build/release/apps), LOG_LEVEL (info), INDEX (1; 0: without a
# full-text index).
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
bin=${BIN:-$top/build/release/apps}
base=${BASE:-22000}
users=${NUSERS:-20}
dir=${1:?usage: up-briefwerk.sh DIR}
[ -x "$bin/briefwerkd" ] || { echo "build it first: cmake --preset release && cmake --build --preset release" >&2; exit 1; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

for _ in $(seq 100); do # what was killed needs a moment to be gone
  pid=$(cat "$dir/root.pid" 2>/dev/null || true)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || { pid=; break; }
  sleep 0.05
done
[ -z "$pid" ] || { echo "already up: $dir" >&2; exit 1; }

ctl() { "$bin/briefwerkctl" --config "$dir/briefwerk.json" "$@" >/dev/null; }
if [ ! -f "$dir/ready" ]; then
  rm -rf "$dir/data" "$dir/briefwerk.json"
  ctl init --hostname localhost --data "$dir/data" --listen 127.0.0.1 --port-offset "$base"
  # The ports of the trial's other servers, relative to BASE.
  python3 - "$dir/briefwerk.json" "$base" "${LOG_LEVEL:-info}" "$dir/log" "${INDEX:-1}" <<'END'
import json, re, sys
path, base = sys.argv[1], int(sys.argv[2])
conf = json.loads(re.sub(r"^//.*$", "", open(path).read(), flags=re.M))
for key, offset in (("smtp", 1), ("submission", 2), ("imap", 3), ("imaps", 4), ("submissions", 7)):
    conf["listen"][key] = [f"127.0.0.1:{base + offset}"]
conf["log"] = {"file": sys.argv[4], "level": sys.argv[3]}
conf["search"] = {"enabled": sys.argv[5] == "1"}
conf["limits"] = {"connections": 100000, "connections_per_address": 100000}  # the trial comes from one address
open(path, "w").write(json.dumps(conf, indent=2))
END
  ctl domain add bench.test
  scheme=plain
  [ "${PWSCHEME:-PLAIN}" = PLAIN ] || scheme=scram
  for i in $(seq "$users"); do
    user=$(printf 'u%02d' "$i")
    echo "pw-$user" | ctl account add "$user@bench.test" --scheme "$scheme" --password-file -
  done
  cp "$dir/certificate.pem" "$dir/cert.pem"
  touch "$dir/ready"
fi

rm -f "$dir/root.pid"
# The shell stays as the root that is not counted; it ends with the server.
setsid bash -c '"$0" --config "$1/briefwerk.json" >>"$1/out.log" 2>&1 & wait; rm -f "$1/root.pid"' "$bin/briefwerkd" "$dir" \
  </dev/null >/dev/null 2>&1 &
echo $! >"$dir/root.pid"
for port in $((base + 1)) $((base + 2)) $((base + 3)) $((base + 4)); do
  for try in $(seq 400); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    [ "$try" != 400 ] || { echo "port $port does not answer, see $dir/out.log" >&2; exit 1; }
    sleep 0.05
  done
done
printf '{"peer":"briefwerk","host":"127.0.0.1","users":%s,"user_pattern":"u%%02d@bench.test","pass_pattern":"pw-u%%02d","rcpt_pattern":"u%%02d@bench.test","smtp":%s,"submission":%s,"imap":%s,"imaps":%s}\n' \
  "$users" $((base + 1)) $((base + 2)) $((base + 3)) $((base + 4)) | tee "$dir/ports.json"
