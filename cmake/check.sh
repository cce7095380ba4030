#!/bin/sh
# Installs what the tests need, builds the test preset, runs everything under ctest.
#   sh cmake/check.sh                      all tests
#   sh cmake/check.sh --sanitize           the unit tests again, under AddressSanitizer and UndefinedBehaviorSanitizer
#   sh cmake/check.sh --fuzz [SECONDS]     each fuzz target for SECONDS (60) with libFuzzer
set -eu
cd "$(dirname "$0")/.."
. cmake/packages.sh

mode=all
seconds=60
while [ $# -gt 0 ]; do
  case $1 in
    --sanitize) mode=sanitize ;;
    --fuzz)
      mode=fuzz
      case ${2:-} in [0-9]*) seconds=$2; shift ;; esac ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "check.sh: unknown option $1 (try --help)" >&2; exit 2 ;;
  esac
  shift
done

test_packages="doctest-dev libbenchmark-dev curl swaks libnet-ssleay-perl isync nsd unbound procps python3-spf haproxy nftables
iproute2 libopendmarc2 publicsuffix libxml2-utils python3-dkim python3-nacl python3-dnspython libopendkim11 clamav-testfiles opendkim-tools faketime
mutt fetchmail getmail6 offlineimap3 roundcube-core roundcube-sqlite3 roundcube-plugins php-cli php-sqlite3 php-mbstring php-intl
php-zip chromium clamav-daemon opendkim rspamd thunderbird"
# Debian's npm, unless another one came with its own Node.js.
command -v npm >/dev/null || test_packages="$test_packages nodejs npm"
# shellcheck disable=SC2086
install_packages $build_packages $test_packages

werror=
[ -z "${CI:-}" ] || werror=-DBRIEFWERK_WERROR=ON

case $mode in
  all)
    cmake --preset dev $werror
    cmake --build --preset dev
    ctest --preset dev -j2
    ;;
  sanitize)
    cmake --preset asan-ubsan $werror -DBRIEFWERK_WITH_APPS=OFF
    cmake --build --preset asan-ubsan
    ctest --preset asan-ubsan -j2
    ;;
  fuzz)
    install_packages clang-19 libclang-rt-19-dev
    cmake --preset fuzz
    # shellcheck disable=SC2046
    cmake --build --preset fuzz --target $(cat build/fuzz/fuzzers.txt)
    for target in $(cat build/fuzz/fuzzers.txt); do
      room_and_name=${target#fuzz_}
      corpus="tests/${room_and_name%%_*}/fuzz/corpus/${room_and_name#*_}"
      found="build/fuzz/found/$target"
      mkdir -p "$found"
      echo "== $target"
      # The fuzzer's own verdict counts: crashes, leaks, time-outs, and also that it could not run at all.
      if ! build/fuzz/tests/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/" "$found" "$corpus" >"build/fuzz/$target.log" 2>&1; then
        tail -n 40 "build/fuzz/$target.log" >&2
        echo "$target failed: see build/fuzz/$target.log and $found" >&2
        exit 1
      fi
      grep 'stat::number_of_executed_units' "build/fuzz/$target.log"
    done
    ;;
esac
