#!/bin/bash
# install.sh [SECTION...]: installs the Debian packages of these sections of packages.txt (default: build test) that are missing.
# Asks dpkg first, so a second run does nothing and needs no network; a package that an installed one provides (npm, by other builds of
# nodejs) isn't missing. Servers are installed, not started.
set -euo pipefail
list=$(dirname "$(readlink -f "$0")")/packages.txt
sections="${*:-build test}"

wanted() { awk -v wanted=" $sections " '/^\[/ { on = index(wanted, " " substr($0, 2, length($0) - 2) " "); next } on && /^[a-z]/' "$list"; }
present() { dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed //p' | tr ',' '\n' | awk '{ print $1 }'; }
missing() { wanted | grep -vxFf <(present) || true; }

mapfile -t packages < <(missing)
[ ${#packages[@]} -gt 0 ] || exit 0
echo "installing: ${packages[*]}" >&2

root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "install.sh: these packages are missing: ${packages[*]}: install them as root, or install sudo" >&2; exit 4; }
  root=(sudo)
fi
# Debian asks this file before it starts a service (invoke-rc.d(8)): the tests start servers of their own on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '"${root[@]}" rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
  "${root[@]}" chmod 755 $policy
fi
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
