#!/bin/sh
# From a fresh Debian 12 to a mail server that takes, keeps, serves and sends mail, on loopback with high ports.
#   sh cmake/quickstart.sh [--once] [DIR]
# DIR (default: build/quickstart) holds configuration, certificate and mail; a second run goes on with what is there.
# --once stops the server after the check.
set -eu
cd "$(dirname "$0")/.."
. cmake/packages.sh

once=
dir=build/quickstart
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=1 ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "quickstart.sh: unknown option $1 (try --help)" >&2; exit 2 ;;
    *) dir=$1 ;;
  esac
  shift
done

# shellcheck disable=SC2086
install_packages $build_packages curl
getent hosts localhost >/dev/null || {
  echo "quickstart.sh: this machine does not know the name localhost: add the line '127.0.0.1 localhost' to /etc/hosts" >&2
  exit 1
}

echo "== Building the release preset"
mkdir -p build
cmake --preset release >build/quickstart-configure.log 2>&1 || {
  cat build/quickstart-configure.log >&2
  exit 1
}
cmake --build --preset release --target briefwerkd briefwerkctl
bin=$PWD/build/release/apps

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
config=$dir/briefwerk.json
ctl() { "$bin/briefwerkctl" --config "$config" "$@"; }

if [ ! -f "$config" ]; then
  echo "== Setting up $dir"
  ctl init --hostname localhost --data "$dir/data" --listen 127.0.0.1 --port-offset 20000
  ctl domain add example.test
  for user in alice bob; do
    (umask 077 && ctl --json account add "$user@example.test" --generate >"$dir/$user.json")
  done
fi
password() { sed -n 's/.*"password": *"\([^"]*\)".*/\1/p' "$dir/$1.json"; }

echo "== Starting briefwerkd"
"$bin/briefwerkd" --check --config "$config"
"$bin/briefwerkd" --config "$config" 2>>"$dir/log" &
server=$!
trap 'kill "$server" 2>/dev/null || :; wait "$server" 2>/dev/null || :' EXIT
trap 'exit 130' INT TERM
tries=0
until [ -S "$dir/data/control.sock" ] && ctl status >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
    echo "briefwerkd did not start; its log: $dir/log" >&2
    tail -n 5 "$dir/log" >&2
    exit 1
  fi
  sleep 0.1
done

echo "== Sending and fetching with other programs (curl, Python's smtplib and imaplib)"
ALICE=$(password alice) BOB=$(password bob) CA="$dir/certificate.pem" python3 cmake/quickstart_check.py

cat <<END

Settings for a mail program (certificate to trust: $dir/certificate.pem):
  incoming  IMAP  localhost  port 20143 (STARTTLS) or 20993 (TLS)
  outgoing  SMTP  localhost  port 20587 (STARTTLS) or 20465 (TLS)
  users     alice@example.test  $(password alice)
            bob@example.test    $(password bob)
Log: $dir/log    Figures: $bin/briefwerkctl --config $config status
END
[ -z "$once" ] || exit 0
echo "The server runs until Ctrl-C."
wait "$server"
