#!/usr/bin/env bash
# Configures with every option that CONTRIBUTING.md documents, the other way round than its default, and
# sees that the programs which it should leave are still targets.
set -euo pipefail
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

# configure NAME "TARGETS THAT MUST BE" "TARGETS THAT MUST NOT BE" OPTION...
configure() {
  local name=$1 present=$2 absent=$3
  shift 3
  if ! cmake -S . -B "$place/$name" -G Ninja "$@" > "$place/$name.log" 2>&1; then
    echo "cmake $* fails:" >&2
    cat "$place/$name.log" >&2
    exit 1
  fi
  local targets target
  targets=$(ninja -C "$place/$name" -t targets all | sed -n 's#^bin/\([^:]*\):.*#\1#p')
  for target in $present; do
    grep -qx "$target" <<< "$targets" || { echo "cmake $* leaves out $target" >&2; exit 1; }
  done
  for target in $absent; do
    ! grep -qx "$target" <<< "$targets" || { echo "cmake $* still builds $target" >&2; exit 1; }
  done
  echo "configures: $*"
}

for option in $(grep -o '^| `SCM_[A-Z_]*`' CONTRIBUTING.md | tr -d '|` '); do
  grep -q -- "-D$option=" scripts/check_options.sh || { echo "nothing configures with $option" >&2; exit 1; }
done

programs="scmctl scm-coordinator scm-worker scm-attempt scm-report scm-modelinfo"
torch="scm-trainer scm-evaluator"
configure torch "$programs core_test" "$torch" -DSCM_WITH_TORCH=OFF
configure tests "$programs $torch" core_test -DSCM_BUILD_TESTS=OFF
configure neither "$programs" "$torch core_test" -DSCM_WITH_TORCH=OFF -DSCM_BUILD_TESTS=OFF
configure bench "$programs $torch train-bench" "" -DSCM_BUILD_BENCH=ON
# The same interpreter by another name, and one that is none.
configure python "$programs $torch" "" "-DSCM_TORCH_PYTHON=$PWD/.venv/bin/python3"
if cmake -S . -B "$place/no-python" -G Ninja "-DSCM_TORCH_PYTHON=$place/none" > "$place/no-python.log" 2>&1 ||
    ! grep -q "No torch wheel behind $place/none" "$place/no-python.log"; then
  echo "cmake does not ask the Python that -DSCM_TORCH_PYTHON names" >&2
  exit 1
fi
if cmake -S . -B "$place/no-gloo" -G Ninja "-DSCM_GLOO_INCLUDE_DIR=$place/none" > "$place/no-gloo.log" 2>&1 ||
    ! grep -q "No gloo/context.h in $place/none" "$place/no-gloo.log"; then
  echo "cmake does not look for Gloo's headers where -DSCM_GLOO_INCLUDE_DIR says" >&2
  exit 1
fi
configure unity "$programs $torch core_test" "" -DSCM_UNITY=OFF
configure sanitize "$programs core_test" "$torch" -DSCM_WITH_TORCH=OFF -DSCM_SANITIZE=ON
if clang=$(scripts/find_clang.sh); then
  configure fuzzers "gguf_fuzzer adapter_fuzzer experiment_fuzzer" "" -DSCM_WITH_TORCH=OFF -DSCM_BUILD_FUZZERS=ON "-DCMAKE_CXX_COMPILER=$clang"
else
  echo "not configured: SCM_BUILD_FUZZERS, which needs clang++"
fi
