#!/bin/sh
# Installs what the tests want from the system's packages and is missing, where that is possible.
# What cannot be had is named; the tests that need it then say that they are skipped.
set -u
PATH=$PATH:/usr/sbin:/usr/local/sbin

missing=
command -v mosquitto >/dev/null 2>&1 || missing="$missing mosquitto"
command -v cmake >/dev/null 2>&1 || missing="$missing cmake"
command -v pkg-config >/dev/null 2>&1 || missing="$missing pkg-config"
command -v valgrind >/dev/null 2>&1 || missing="$missing valgrind"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing from the system's packages:$missing"
    # A broker that is installed is not to be started as a service.
    policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1; }
    apt-get update -qq >/dev/null 2>&1
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1
    [ -z "${made:-}" ] || rm -f "$policy"
fi
for program in $missing; do
    command -v "$program" >/dev/null 2>&1 ||
        echo "MISSING: $program; install it, or the tests that need it are SKIPPED" >&2
done
exit 0
