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
total=$(wc -l <<< "$files") began=$(date +%s) seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
echo "clang-tidy: $total files"

# Some files; a line at every tenth of all.
look() {
  local status=0 before n
  clang-tidy -p "$build/lint" --quiet --extra-arg=-isystem"$PWD/$build/proto" "$@" 2> /dev/null || status=$?
  before=$(wc -l < "$seen")
  printf '%s\n' "$@" >> "$seen"
  n=$(wc -l < "$seen")
  if ((n < total && n * 10 / total != before * 10 / total)); then
    echo "clang-tidy: $n of $total files, about $((($(date +%s) - began) * (total - n) / n / 60 + 1)) min left"
  fi
  return $status
}
export -f look
export build seen total began
xargs -P "$(nproc)" -n 4 bash -c 'look "$@"' _ <<< "$files"
