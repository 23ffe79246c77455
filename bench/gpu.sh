#!/usr/bin/env bash
# What this machine's GPU makes of scm, in about eight minutes once the programs are built: whether it
# computes the same as the CPU, how fast it trains beside peft, and whether a worker trains on it. What is
# done, and what was left out, is printed. Without a GPU it says so and writes no number.
#
#   bench/gpu.sh [--minutes 8] [--peak-tflops 790] [--python PYTHON] [--bin-dir DIR] [--no-peer]
#                [--device cuda|cpu] [--small]
#
# Without --bin-dir torch's CUDA wheel goes into .venv-cuda (5.5 GB, with transformers and peft unless
# --no-peer) and the programs into build/cuda. PYTHON has the torch that draws the weights, and the
# peer's transformers and peft. `--device cpu --small` goes the same way through tiny shapes on the CPU, in
# about a minute: a try of this script, whose figures say nothing about a GPU.
#
# Exit 0: whatever ran is right. 1: something differs, or failed. 2: wrong options. 3: no GPU here.
set -euo pipefail
cd "$(dirname "$0")/.."

device=cuda bin_dir="" python="" peer=1
arguments=("$@")
for ((i = 0; i < $#; ++i)); do
  case ${arguments[i]} in
    --device) device=${arguments[i + 1]-} ;;
    --device=*) device=${arguments[i]#*=} ;;
    --bin-dir) bin_dir=${arguments[i + 1]-} ;;
    --bin-dir=*) bin_dir=${arguments[i]#*=} ;;
    --python) python=${arguments[i + 1]-} ;;
    --python=*) python=${arguments[i]#*=} ;;
    --no-peer) peer="" ;;
  esac
done

# Before anything is fetched or built for it.
if [ "$device" = cuda ]; then python3 -B bench/find_gpu.py || exit $?; fi

if [ -z "$bin_dir" ]; then
  if [ "$device" = cuda ]; then
    make --no-print-directory cuda-programs
    [ -z "$peer" ] || scripts/setup.sh cuda-peer || echo "peft cannot be installed here: there is no peer" >&2
    bin_dir=build/cuda/bin
  else
    bin_dir=build/bin
  fi
  arguments+=(--bin-dir "$bin_dir")
fi
if [ -z "$python" ]; then
  python=.venv-cuda/bin/python
  if [ "$device" = cpu ]; then
    python=.venv-parity/bin/python
    [ -x "$python" ] || python=.venv/bin/python
  fi
fi
exec "$python" -B bench/gpu_bench.py ${arguments[@]+"${arguments[@]}"}
