"""bench/gpu.sh on the CPU: the same way through tiny shapes, the answer where no GPU is, and the time it keeps to."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

parser = argparse.ArgumentParser()
parser.add_argument("--bin-dir", default="build/bin")
arguments, sys.argv[1:] = parser.parse_known_args()
BIN = pathlib.Path(arguments.bin_dir).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "bench" / "gpu.sh"
sys.path.insert(0, str(ROOT / "bench"))
import bench  # noqa: E402
import find_gpu  # noqa: E402
import gpu_bench  # noqa: E402


def run(*options, **environment):
    done = subprocess.run([SCRIPT, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **environment})
    print(done.stdout, flush=True)
    return done


def on_the_cpu(*options):
    return run("--device", "cpu", "--small", "--bin-dir", BIN, "--python", sys.executable, *options)


class WholeScript(unittest.TestCase):
    def test_every_part_runs_on_the_cpu(self):
        done = on_the_cpu("--minutes", "60")  # on a busy machine
        self.assertEqual(done.returncode, 0)
        for words in ("on the CPU: a try of this script", "right: fp32: its kernels beside the reference there",
                      "right: bf16, base in nf4: 3 seeds in one pass beside each alone",
                      "small, packed 256: scm", "small, 4 × 16, five seeds packed: scm",
                      "small, bf16: ", "choices/s of one token", "seed 12: SUCCEEDED at step 40",
                      "left out: generation: "):
            self.assertIn(words, done.stdout)
        self.assertNotIn("WRONG", done.stdout)
        self.assertNotIn("% of the", done.stdout)  # no ceiling of a GPU
        self.assertRegex(done.stdout.strip().splitlines()[-1], r"^small, .+: \d+\.\d\d x .+ \(\d+\.\d\d–\d+\.\d\d\)$")

    def test_without_time_everything_is_left_out_by_name(self):
        done = on_the_cpu("--minutes", "0")
        self.assertEqual(done.returncode, 0)
        for part in ("correctness", "training, small shape", "a worker, small shape", "scoring, small shape"):
            self.assertIn(f"left out: {part}: it needs ", done.stdout)
        self.assertNotIn("==", done.stdout)

    @unittest.skipIf(find_gpu.missing() == "", "there is a GPU")
    def test_without_a_gpu_there_is_a_sentence_and_no_number(self):
        done = run()
        self.assertEqual(done.returncode, find_gpu.NO_GPU)
        self.assertRegex(done.stdout, r"^no GPU here: .+; no number is written\n$")
        self.assertEqual(run("--bin-dir", BIN, "--python", sys.executable).returncode, find_gpu.NO_GPU)


class FindGpu(unittest.TestCase):
    def test_says_what_is_missing(self):
        self.assertEqual(find_gpu.missing("libscm-no-driver.so.1"), "the driver (libscm-no-driver.so.1) is not installed")
        self.assertEqual(find_gpu.missing("libc.so.6"), "libc.so.6 is no driver of CUDA")


class Parts(unittest.TestCase):
    def gpu(self, directory):
        args = mock.Mock(minutes=8, device="cpu", no_peer=True, small=True, bin_dir=str(BIN), peak_tflops=790)
        return gpu_bench.Gpu(args, directory)

    def test_a_part_that_takes_too_long_is_ended_and_named(self):
        with tempfile.TemporaryDirectory() as directory:
            gpu = self.gpu(directory)
            gpu.part("sleep", 0, 0.2, lambda limit: limit.output(["sleep", "600"]))
            self.assertEqual(gpu.left_out, ["the rest of sleep: ended after 0 s"])
            self.assertEqual(gpu.wrong, [])

    def test_a_part_that_fails_is_named_and_the_next_goes_on(self):
        with tempfile.TemporaryDirectory() as directory:
            gpu = self.gpu(directory)
            gpu.part("bad", 0, 60, lambda limit: limit.output(["sh", "-c", "echo broken >&2; exit 3"]))
            self.assertEqual(gpu.wrong, ["bad: sh ends with 3: broken"])
            self.assertEqual(gpu.finish(), 1)

    def test_what_is_beyond_its_limit_is_wrong(self):
        answer = '{"checks":[{"what":"it","losses":2e-3,"adapters":0.1},{"what":"that","losses":"NaN","adapters":0.1}]}'
        with tempfile.TemporaryDirectory() as directory:
            gpu = self.gpu(directory)
            gpu.model = lambda *_: directory
            gpu.check_results(mock.Mock(output=lambda command: answer))
            self.assertEqual(len(gpu.wrong), 8)
            self.assertEqual(gpu.wrong[0].split(":")[:2], ["fp32", " it"])

    def test_documents_fill_a_packed_row_and_predict_within_themselves(self):
        case = gpu_bench.cases(False)[0]
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "case.json")
            gpu_bench.write_case(path, case, 512)
            data = json.loads(path.read_text())
        for batch in data["batches"]:
            self.assertEqual(len(batch["tokens"]), 2048)
            lengths = bench.documents(batch["segments"])
            self.assertEqual(sum(lengths), 2048)
            self.assertGreater(len(lengths), 3)
            for i, segment in enumerate(batch["segments"]):
                last = i == 2047 or batch["segments"][i + 1] != segment
                self.assertEqual(batch["labels"][i], -100 if last else batch["tokens"][i + 1])


class Ceiling(unittest.TestCase):
    def ceiling(self, shape, length):
        """Tokens a second that 790 TFLOP/s allow, of rows that are one document with a label at each position."""
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "case.json")
            gpu_bench.write_case(path, gpu_bench.Case("one", 1, length), 512)
            return 790e12 / gpu_bench.operations_per_token(path, gpu_bench.SHAPES[shape])

    def test_is_what_was_computed_by_hand(self):
        # shape, length → thousand tokens a second
        for (shape, length), known in {("1B", 512): 156, ("1B", 2048): 147, ("1B", 4096): 137, ("3B", 512): 60,
                                       ("3B", 2048): 57}.items():
            self.assertAlmostEqual(self.ceiling(shape, length) / 1000 / known, 1, delta=0.01, msg=(shape, length))


if __name__ == "__main__":
    unittest.main(verbosity=2)
