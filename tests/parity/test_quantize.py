"""scm's NF4 and int8 against bitsandbytes on the CPU: every bit of codes, scales and restored values.

The mean of the scales is taken by one thread: torch's last bits depend on their number from 32,768 scales on.
Run with the Python of the oracle environment: python tests/parity/test_quantize.py --bin-dir build/bin
"""
import pathlib
import tempfile
import unittest

import bitsandbytes.functional as bnb
import numpy as np
import torch

import support

torch.set_num_threads(1)
SIZES = [1, 2, 3, 63, 64, 65, 127, 128, 129, 255, 1000, 64 * 256 - 1, 64 * 256, 64 * 256 + 1, 64 * 257, 99_991]


def tensors():
    """Name and rows × columns of fp32 numbers."""
    random = np.random.default_rng(13)
    for size in SIZES:
        yield f"normal {size}", random.standard_normal((1, size))
    for height in (1e-30, 1e-6, 1e4, 1e30):
        yield f"normal times {height}", height * random.standard_normal((20, 333))
    for shape in ((48, 576), (33, 65), (65, 33), (576, 1536), (3, 1), (1536, 577)):
        yield f"shape {shape}", 0.02 * random.standard_normal(shape)
    yield "heavy tails", random.standard_cauchy((300, 640))
    yield "bf16", torch.tensor(random.standard_normal((64, 640))).bfloat16().double().numpy()
    yield "zeros", np.zeros((5, 77))
    yield "zeros among others", random.standard_normal((64, 640)) * (random.random((64, 640)) < 0.02)
    yield "zero blocks", np.repeat(random.integers(0, 2, (40, 10)), 64, axis=1) * random.standard_normal((40, 640))
    yield "negative zeros", np.full((3, 64), -0.0)
    yield "all equal", np.full((64, 640), 0.25)
    yield "tiny", random.standard_normal((4, 640)) * 1e-39
    values = bnb.get_4bit_type("nf4", device="cpu").numpy()
    ties = ((values[:-1] + values[1:]) / 2).astype(np.float32)
    near = np.concatenate([ties, np.nextafter(ties, np.float32(2)), np.nextafter(ties, np.float32(-2)), values])
    yield "ties", np.concatenate([[1], near]).reshape(1, -1)[:, :64]
    yield "ties in a partial block", np.concatenate([[1], ties]).reshape(1, -1)
    for strong in range(60, 130, 3):
        rows = 1e-4 * random.standard_normal((256, 64))
        rows[:strong] *= 1e4
        yield f"weak rows, {strong} strong", rows
    for number in range(40):
        shape = random.integers(1, 400, 2)
        yield f"random {number} {shape}", 10.0 ** random.integers(-5, 3) * random.standard_normal(shape)


class Quantize(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def ours(self, kind, values):
        (self.root / "in").write_bytes(values.tobytes())
        inverted = support.run("scm-quantize-probe", kind, *values.shape, self.root / "in", self.root / "out").stdout
        return int(inverted), lambda name, dtype: np.frombuffer((self.root / f"out.{name}").read_bytes(), dtype)

    def same(self, ours, theirs, what):
        theirs = theirs.numpy().reshape(-1)
        self.assertEqual(ours.dtype.itemsize, theirs.dtype.itemsize)
        integers = {1: np.uint8, 2: np.uint16, 4: np.uint32}[ours.dtype.itemsize]
        np.testing.assert_array_equal(ours.view(integers), theirs.view(integers), what)

    def test_nf4_is_bitsandbytes_bit_for_bit(self):
        compared = inverted_blocks = 0
        for name, values in tensors():
            values = values.astype(np.float32)
            tensor = torch.tensor(values)
            for nested in (True, False):
                with self.subTest(name=name, nested=nested):
                    codes, state = bnb.quantize_4bit(tensor, blocksize=64, compress_statistics=nested, quant_type="nf4")
                    inverted, ours = self.ours("nf4" if nested else "nf4-plain", values)
                    self.same(ours("codes", np.uint8), codes, "codes")
                    scales = state.absmax
                    if nested:
                        self.same(ours("scale_codes", np.uint8), state.absmax, "codes of scales")
                        self.same(ours("scales", np.float32), state.state2.absmax, "scales of scales")
                        self.same(ours("offset", np.float32), state.offset.reshape(1), "offset")
                        self.same(ours("map", np.float32), state.state2.code, "map")
                        scales = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
                    else:
                        self.same(ours("scales", np.float32), scales, "scales")
                    self.assertEqual(inverted, int((scales < 0).sum()))
                    inverted_blocks += inverted
                    compared += values.size
                    # In one row: the AVX-512 code of 0.50.2 gives 64 columns of a row the scale of the first of
                    # them, though blocks go on from row to row where rows are no multiple of 64.
                    state.shape = (1, values.size)
                    self.same(ours("values", np.float32), bnb.dequantize_4bit(codes, state), "values")
                    if name == "tiny":
                        continue  # numbers below 1e-38 in bf16 are zero on some CPUs
                    state.dtype = torch.bfloat16
                    half = bnb.dequantize_4bit(codes, state).view(torch.uint16)
                    self.same(ours("bf16", np.uint16), half, "values in bf16")
        print(f"nf4: {compared} values compared, {inverted_blocks} blocks inverted")
        self.assertGreater(inverted_blocks, 0, "no tensor had a scale that turned negative")

    def test_int8_is_bitsandbytes_bit_for_bit(self):
        compared = 0
        for name, values in tensors():
            values = values.astype(np.float32)
            if (np.abs(values).max(axis=1) < 1e-36).any():
                continue  # bitsandbytes divides by zero there
            with self.subTest(name=name):
                codes, scales, _ = bnb.int8_vectorwise_quant(torch.tensor(values))
                _, ours = self.ours("int8", values)
                self.same(ours("codes", np.int8), codes, "codes")
                self.same(ours("scales", np.float32), scales, "scales")
                self.same(ours("values", np.float32), bnb.int8_vectorwise_dequant(codes, scales), "values")
                compared += values.size
        print(f"int8: {compared} values compared")


if __name__ == "__main__":
    support.main()
