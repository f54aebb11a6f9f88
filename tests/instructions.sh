#!/bin/sh
# Counts the instructions of the hot paths: instructions.sh CARGO RUNNER
set -eu
if ! command -v valgrind >/dev/null 2>&1; then
    echo "instructions: SKIPPED, valgrind is not installed (apt-get install valgrind)" >&2
    exit 0
fi
GUNGRAUN_RUNNER=$(realpath "$2")
export GUNGRAUN_RUNNER
exec "$1" bench --locked -q -p mqttsession-benches --bench instructions
