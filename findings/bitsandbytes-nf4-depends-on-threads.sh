#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU: with double quantisation (compress_statistics) a quantised weight depends on the number of
# threads. The scales are centred by their mean, which torch splits among its threads from 32,768 numbers on; the last
# bits of the mean, stored as the offset, move most of the restored values of a matrix of 6.1 million weights.
# Expected: the same file on the same CPU gives the same base, as it does without double quantisation.
# Exit: 0 the behaviour is as said, 1 it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.13.0 bitsandbytes==0.50.2 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
import sys
import bitsandbytes
import bitsandbytes.functional as functional
import torch

print(f"torch {torch.__version__}, bitsandbytes {bitsandbytes.__version__}")


def restored(values, threads, double):
    torch.set_num_threads(threads)
    codes, state = functional.quantize_4bit(values, blocksize=64, quant_type="nf4", compress_statistics=double)
    torch.set_num_threads(1)
    return functional.dequantize_4bit(codes, state)


moved = {True: 0, False: 0}
for seed in range(6):
    torch.manual_seed(seed)
    matrix = torch.randn(3000, 2048) * torch.rand(3000, 1)
    for double in (True, False):
        one, three = (restored(matrix, threads, double) for threads in (1, 3))
        share = (one != three).double().mean().item()
        moved[double] += share > 0.5
        print(f"seed {seed}, double quantisation {double!s:5}: {share:6.1%} of the values differ for 1 and 3 threads")
sys.exit(not (moved[True] > 0 and moved[False] == 0))
PY
