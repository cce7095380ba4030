# Sourced by quickstart.sh and check.sh: install_packages NAME… installs the Debian packages that are missing, after
# saying which.

build_packages="g++ cmake ninja-build ccache libasio-dev android-libboringssl-dev libfmt-dev nlohmann-json3-dev
libc-ares-dev librocksdb-dev libzstd-dev zlib1g-dev libicu-dev libpsl-dev libexpat1-dev libre2-dev libxapian-dev libcrypt-dev libcli11-dev libclamav-dev
python3 openssl ca-certificates"

install_packages() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  echo "Installing Debian packages:$missing"
  as_root=
  [ "$(id -u)" = 0 ] || as_root=sudo
  # shellcheck disable=SC2086  # lists are meant to be split
  $as_root apt-get -qq update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing >/dev/null
}
