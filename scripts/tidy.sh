#!/usr/bin/env bash
# clang-tidy on the programs' sources: those that differ from a git revision (a changed header brings the
# source of its name), or all. The kernels, tests and benchmarks are left out.
#   scripts/tidy.sh BUILD_FOLDER [REVISION]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1 base=${2:-}

sources() { git ls-files '*.cc' | grep -v -e '^trainer/compute/cpu/' -e '^tests/' -e '^bench/'; }

changed() {
  if ! git rev-parse --quiet --verify "$base^{commit}" > /dev/null; then
    echo "== $base is not in this clone: clang-tidy looks at every file" >&2
    sources
    return
  fi
  comm -12 <(sources | sort) \
    <(git diff --name-only --diff-filter=d "$base" -- '*.cc' '*.h' | sed 's/\.h$/.cc/' | sort -u)
}

files=$(if [ -n "$base" ]; then changed; else sources; fi)
if [ -z "$files" ]; then
  echo "clang-tidy: nothing changed since $base"
  exit
fi
# A compilation database in which each file stands for itself.
cmake -S . -B "$build/lint" -G Ninja -DSCM_UNITY=OFF > /dev/null
echo "clang-tidy: $(wc -l <<< "$files") files"
xargs -P "$(nproc)" -n 4 clang-tidy -p "$build/lint" --quiet \
  --extra-arg=-isystem"$PWD/$build/proto" <<< "$files" 2> /dev/null
