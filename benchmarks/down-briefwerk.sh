#!/usr/bin/env bash
# down-briefwerk.sh DIR: stops by process id what up-briefwerk.sh started there, and waits for its end.
set -eu
dir=${1:?usage: down-briefwerk.sh DIR}
root=$(cat "$dir/root.pid" 2>/dev/null) || exit 0
for child in $(cat "/proc/$root/task/$root/children" 2>/dev/null); do kill "$child" 2>/dev/null || true; done
for _ in $(seq 600); do
  kill -0 "$root" 2>/dev/null || { rm -f "$dir/root.pid"; exit 0; }
  sleep 0.05
done
echo "still running: $root" >&2
exit 1
