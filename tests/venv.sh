#!/bin/sh
# Makes a virtual environment. usage: venv.sh PYTHON DIRECTORY
set -u
python=$1
directory=$2

"$python" -m venv "$directory" >/dev/null 2>&1 && exit 0
rm -rf "$directory"
# Debian has the means for it in a package of their own.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq >/dev/null 2>&1
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null 2>&1
fi
exec "$python" -m venv "$directory"
