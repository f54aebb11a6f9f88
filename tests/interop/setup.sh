#!/bin/sh
# Gets the brokers of `make interop` into one folder. usage: setup.sh PYTHON FOLDER
#
# Nothing is installed on the machine and nothing needs root: Debian packages are unpacked into
# FOLDER/debian together with whatever they need that is not installed. What cannot be had is
# named; its columns are then skipped.
set -u
here=$(dirname "$0")
python=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)

missing() {
    echo "MISSING: $1; $2" >&2
}

# The full version in the package lists that begins with this release.
offered() {
    apt-cache madison "$1" 2>/dev/null | awk -v release="$2" \
        '{ version = $3; sub(/^[0-9]+:/, "", version)
           if (index(version, release "-") == 1) { print $3; exit } }'
}

unpack_debian() {
    stamp=$folder/debian/$1-$2.stamp
    [ -e "$stamp" ] && return
    command -v apt-get >/dev/null 2>&1 || { missing "$1 $2" "there is no apt-get"; return; }
    version=$(offered "$1" "$2")
    if [ -z "$version" ] && [ "$(id -u)" = 0 ]; then
        apt-get update -qq >/dev/null 2>&1
        version=$(offered "$1" "$2")
    fi
    [ -n "$version" ] || { missing "$1 $2" "the package lists do not offer it"; return; }
    echo "Unpacking $1 $version"
    packages=$(mktemp -d)
    # The simulation names what is not installed: the package itself, unless it is, and its needs.
    needed=$(apt-get install -s --no-install-recommends "$1=$version" 2>/dev/null |
        awk -v this="$1" '/^Inst / && $2 != this { print $2 }')
    # shellcheck disable=SC2086
    if (cd "$packages" && apt-get download -qq "$1=$version" $needed >/dev/null 2>&1) &&
        unpack_all "$packages"; then
        touch "$stamp"
    else
        missing "$1 $2" "it cannot be downloaded and unpacked"
    fi
    rm -rf "$packages"
}

unpack_all() {
    mkdir -p "$folder/debian"
    for package in "$1"/*.deb; do
        dpkg -x "$package" "$folder/debian" || return 1
    done
}

install_pip() {
    stamp=$folder/venv/$1-$2.stamp
    [ -e "$stamp" ] && return
    echo "Installing $1 $2 into a virtual environment"
    if sh "$here/../venv.sh" "$python" "$folder/venv" &&
        "$folder/venv/bin/python" -m pip install -q --disable-pip-version-check "$1==$2" >/dev/null; then
        touch "$stamp"
    else
        missing "$1 $2" "pip cannot install it"
    fi
}

install_npm() {
    stamp=$folder/npm/$1-$2.stamp
    [ -e "$stamp" ] && return
    command -v npm >/dev/null 2>&1 || { missing "$1 $2" "there is no npm"; return; }
    echo "Installing $1 $2 into a folder of its own"
    mkdir -p "$folder/npm"
    if npm install --silent --no-audit --no-fund --prefix "$folder/npm" "$1@$2" >/dev/null; then
        touch "$stamp"
    else
        missing "$1 $2" "npm cannot install it"
    fi
}

while read -r kind package release; do
    case $kind in
    debian) unpack_debian "$package" "$release" ;;
    pip) install_pip "$package" "$release" ;;
    npm) install_npm "$package" "$release" ;;
    esac
done <"$here/versions"
exit 0
