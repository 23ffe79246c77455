#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU with AVX-512: the NF4 codes and scales of a matrix do not depend on its shape, but what
# dequantize_4bit makes of them does. Where a row has a multiple of 16 values that is no multiple of the block of 64, a
# block goes on in the next row, and the restored values take other blocks' scales. The same numbers as one row, or rows
# of 64, 128 or 40 values, come back right.
# Expected: restoring is the inverse of quantising whatever the shape; two calls differ by nothing.
# Exit: 0 the behaviour is as said, 1 it changed, 2 this CPU takes another path.
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

print(f"torch {torch.__version__}, bitsandbytes {bitsandbytes.__version__}, {torch.backends.cpu.get_cpu_capability()}")
if torch.backends.cpu.get_cpu_capability() != "AVX512":
    sys.exit(2)
torch.manual_seed(0)


def restored(values):
    codes, state = functional.quantize_4bit(values, blocksize=64, quant_type="nf4", compress_statistics=False)
    return codes, functional.dequantize_4bit(codes, state)


wrong = {}
for columns in (16, 40, 48, 64, 80, 96, 128, 144):
    matrix = torch.randn(6, columns)
    codes, values = restored(matrix)
    same_codes, as_one_row = restored(matrix.reshape(1, -1))
    assert torch.equal(codes, same_codes), "the codes depend on the shape"
    difference = (values - as_one_row.reshape(6, columns)).abs().max().item()
    print(f"rows of {columns:3}: same codes, largest difference of a restored value {difference:.3f}")
    wrong[columns] = difference > 0
sys.exit(wrong != {columns: columns % 16 == 0 and columns % 64 != 0 for columns in wrong})
PY
