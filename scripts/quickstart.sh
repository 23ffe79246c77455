#!/usr/bin/env bash
# Starts a coordinator and two workers on this machine, runs the sample experiment and shows where its
# report lies. Run again, it starts a new experiment on the same coordinator.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/build/bin:$PATH"
scmctl local up --workers 2
code=0
scmctl submit samples/quickstart.yaml --follow || code=$?
echo
scmctl why quickstart | sed -n 1,60p
echo
echo "Look around: scmctl status quickstart; scmctl runs quickstart; scmctl checkpoints ls quickstart"
echo "Stop everything: scmctl local down"
# A go and a no-go are both an answer; anything else is a failure of the quickstart.
[ "$code" -eq 0 ] || [ "$code" -eq 7 ] || exit "$code"
