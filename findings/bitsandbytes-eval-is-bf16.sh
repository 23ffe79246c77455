#!/usr/bin/env bash
# bitsandbytes 0.50.2 on a CPU with avx512_bf16: a Linear4bit with compute_dtype=torch.float32 computes in fp32 while it
# trains and in bf16 after .eval(); the output is still fp32. A validation loss measured in eval mode is therefore not
# that of the model being trained, with no dropout anywhere. Packing happens in place at the first call in eval mode.
# Expected: .eval() switches off dropout, and compute_dtype says in what the products are taken.
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

print(f"torch {torch.__version__}, bitsandbytes {bitsandbytes.__version__}, bf16 {functional.has_avx512bf16()}")
if not functional.has_avx512bf16():
    sys.exit(2)
torch.manual_seed(0)
layer = bitsandbytes.nn.Linear4bit(256, 128, bias=False, compute_dtype=torch.float32, quant_type="nf4").to("cpu")
x = torch.randn(5, 256)
with torch.no_grad():
    weight = functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    exact = x.double() @ weight.double().T
    trained = layer.train()(x)
    evaluated = layer.eval()(x)


def error(y):
    return ((y.double() - exact).abs().max() / exact.abs().max()).item()


print(f"largest error of {evaluated.dtype} outputs: train() {error(trained):.1e}, eval() {error(evaluated):.1e}")
sys.exit(not (error(trained) < 1e-6 and error(evaluated) > 1e-3 and evaluated.dtype == torch.float32))
PY
