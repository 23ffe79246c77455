#!/usr/bin/env bash
# Prints the path of clang++, the newest where there are only those with a version in their name.
set -euo pipefail
command -v clang++ && exit
newest=$(compgen -c clang++- | grep -xE 'clang\+\+-[0-9]+' | sort -uV | tail -n 1) || true
command -v "${newest:-clang++}"
