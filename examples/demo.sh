#!/bin/sh
# The main job, shown: a broker, and programs that exchange messages through it.
# usage: demo.sh BUILD PYTHON
set -eu

build=$1
python=$2
demo=$build/demo
mkdir -p "$demo"

# The broker ends when its standard input does, so it cannot outlive this script.
rm -f "$demo/stdin" "$demo/address"
mkfifo "$demo/stdin" "$demo/address"
target/debug/mqttsession-broker <"$demo/stdin" >"$demo/address" &
exec 3>"$demo/stdin"
read -r listening address <"$demo/address"
rm -f "$demo/stdin" "$demo/address"
printf 'A broker is %s at %s\n' "$listening" "$address"

run() {
    printf '\n--- %s\n' "$1"
    shift
    "$@" "$address"
}

run 'C (examples/c/first.c)' "$demo/first-c"
run 'C, request and response (examples/c/request.c)' "$demo/request-c"
run 'C++ (examples/cpp/first.cpp)' "$demo/first-cpp"
run 'Python (examples/python/first.py)' "$python" examples/python/first.py
run 'Python, asyncio (examples/python/first_asyncio.py)' "$python" examples/python/first_asyncio.py
run 'Python, request and response (examples/python/request.py)' "$python" examples/python/request.py
run 'mqttSession in C (examples/wlanguage/first.c)' "$demo/first-wlanguage"
run 'mqttSession in Python (examples/python/first_wlanguage.py)' "$python" examples/python/first_wlanguage.py

exec 3>&-
wait

cat <<'TEXT'

All of them connected, subscribed, and received what they had published: at QoS 0, 1 and 2, or as a
question and its answer.

What to try next:
  make test                 every test, against a scripted broker and real ones
  make install PREFIX=...   the library, its headers, pkg-config and CMake files
  pip install ./python      the Python package
  README.md                 a first program in C, C++, Python and mqttSession style
TEXT
