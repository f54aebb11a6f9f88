#!/bin/sh
# Installs the peers in C from the system's packages, and what counts system calls; those in Python come with
# benches/requirements.txt.
set -eu
packages="libmosquitto-dev libpaho-mqtt-dev linux-perf"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Install these, or what your system has in their place: $packages" >&2
    exit 1
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
