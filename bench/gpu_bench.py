"""What a GPU makes of scm, part by part within a budget of time: bench/gpu.sh says what for and how.

Each part says what it does before it does it. A part for which too little time is left is left out, one that takes
longer than it may is ended, and the last lines say which. A side of the table is one process that holds a model and
takes turns with the other: warm-up, then turns of about a second, at least three. The ceiling is what the arithmetic
of a step (operations_per_token: products, attention on what is visible, adapters) allows at --peak-tflops.
"""
import argparse
import contextlib
import importlib.util
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing

import bench
import find_gpu
import scoring

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE.parent / "samples" / "corpus"
SHAPES = {"1B": bench.Shape(128256, 2048, 8192, 16, 32, 8), "3B": bench.Shape(128256, 3072, 8192, 28, 24, 8)}
SMALL = {"small": bench.Shape(512, 128, 352, 2, 4, 2)}
CHECKED = bench.Shape(1024, 256, 704, 3, 8, 4)
# Of the untouched base on both sides, in bf16: that the peer computes the same.
PEER_LIMIT = 1e-2
# Relative differences of a step's loss over 20 steps.
LIMITS = {"fp32": 1e-5, "bf16": 1e-3}
WORKER_STEPS = 40
ROUNDS = 3


class Failed(Exception):
    """What went wrong, in a sentence."""


class TimeUp(Exception):
    pass


class Case(typing.NamedTuple):
    name: str
    rows: int
    length: int
    packed: bool = False  # one row of documents of 100 to 400 tokens
    runs: int = 1         # seeds that share every pass
    peer: bool = True


def cases(small):
    packed, long, short = (256, 64, 16) if small else (2048, 512, 100)
    return [Case(f"packed {packed}", 1, packed, packed=True), Case(f"4 × {long}", 4, long),
            Case(f"4 × {short}", 4, short), Case(f"4 × {short}, five seeds packed", 4, short, runs=5, peer=False)]


def document_lengths(rng, case):
    if not case.packed:
        return [[case.length]] * case.rows
    shortest, longest = case.length // 20, case.length // 5
    lengths = []
    while (left := case.length - sum(lengths)) > 0:
        n = rng.randint(shortest, longest)
        lengths.append(left if left - n < shortest else n)
    return [lengths]


def write_case(path, case, vocabulary, count=2):
    """Batches without padding, each position labelled with the next token of its document."""
    rng = random.Random(7)
    batches = []
    for _ in range(count):
        batch = {"tokens": [], "segments": [], "labels": []}
        for lengths in document_lengths(rng, case):
            for segment, n in enumerate(lengths):
                # A skewed distribution: there is something to learn in a few steps.
                text = [min(int(rng.expovariate(1 / 40.0)), vocabulary - 1) for _ in range(n)]
                batch["tokens"] += text
                batch["segments"] += [segment] * n
                batch["labels"] += text[1:] + [-100]
        batches.append(batch)
    with open(path, "w") as file:
        json.dump({"rows": case.rows, "length": case.length, "runs": case.runs, "batches": batches}, file)


class Limit:
    """Ends the processes of a part when its time is up."""

    def __init__(self, seconds):
        self.processes, self.over = [], False
        self.timer = threading.Timer(seconds, self.end)
        self.timer.start()

    def end(self):
        self.over = True
        for process in self.processes:
            process.kill()

    def watch(self, process):
        self.processes.append(process)
        if self.over:
            process.kill()
        return process

    def close(self):
        self.timer.cancel()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def output(self, command, **more):
        """What a program prints; Failed where it fails."""
        process = self.watch(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more))
        out, errors = process.communicate()
        if self.over:
            raise TimeUp
        if process.returncode != 0:
            raise Failed(f"{pathlib.Path(command[0]).name} ends with {process.returncode}: {errors.strip()[-1000:]}")
        return out


class Side(bench.Side):
    """A process with a model, in turn with the others; what it says of itself lies in `log`."""

    def __init__(self, name, command, limit, directory):
        self.limit, self.log = limit, pathlib.Path(directory, name + ".log")
        with open(self.log, "w") as log:
            try:
                super().__init__(name, command, log, limit.watch)
            except SystemExit:
                if limit.over:
                    raise TimeUp from None
                raise Failed(f"{name} did not start: {self.last_words()}") from None

    def last_words(self):
        return self.log.read_text().strip()[-1000:] or "it said nothing"

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if self.limit.over:
            raise TimeUp
        if not answer:
            raise Failed(f"{self.name} ended early: {self.last_words()}")
        return json.loads(answer)

    def use(self, case):
        self.ask(f"case {case}")
        self.speeds, self.losses, self.norms, self.peak, self.seconds = [], [], [], 0, []

    def turn(self, steps, warm_up=False):
        result = self.ask(str(steps))
        self.losses += result["losses"]
        self.norms += result["grad_norms"]
        self.peak = max(self.peak, result["peak_bytes"])
        self.step_seconds = result["seconds"] / steps
        if not warm_up:
            self.speeds.append(result["tokens"] / result["seconds"])
            self.seconds.append(self.step_seconds)

    def check(self):
        if not all(math.isfinite(x) for x in self.losses) or not all(x > 0 and math.isfinite(x) for x in self.norms):
            raise Failed(f"{self.name}: losses {self.losses}, gradient norms {self.norms}")


def operations_per_token(path, shape):
    return bench.operations_per_token(path, shape, attention_products=6)


def shown(number):
    """Of JSON, where what is no finite number is a text."""
    return number if isinstance(number, str) else f"{number:.1e}"


def spread(values, digits):
    values = sorted(values)
    return f"{statistics.median(values):.{digits}f} ({values[0]:.{digits}f}–{values[-1]:.{digits}f})"


def ratio_line(name, ratios, peer):
    ratios = sorted(ratios)
    return f"{name}: {statistics.median(ratios):.2f} x {peer} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


class Gpu:
    """The parts, over one temporary directory."""

    def __init__(self, args, directory):
        self.args, self.directory = args, pathlib.Path(directory)
        self.began = time.monotonic()
        self.left_out, self.wrong, self.lines = [], [], []
        self.cuda = args.device == "cuda"
        self.turn_seconds = 0.3 if args.small else 1.0
        self.torch_device = "cuda:0" if self.cuda else "cpu"
        self.peer = not args.no_peer and all(map(importlib.util.find_spec, ("transformers", "peft")))

    def left(self):
        return self.args.minutes * 60 - (time.monotonic() - self.began)

    def part(self, name, needs, most, body, *arguments):
        """`body` within `most` seconds of eight minutes, unless less than `needs` are left."""
        left = self.left()
        if left < needs:
            self.left_out.append(f"{name}: it needs {needs} s, and {max(0, left):.0f} s were left")
            return
        most = min(most * self.args.minutes / 8, left)
        print(f"\n== {name} (at most {most:.0f} s)", flush=True)
        limit = Limit(most)
        try:
            body(limit, *arguments)
        except TimeUp:
            self.left_out.append(f"the rest of {name}: ended after {most:.0f} s")
        except (Failed, OSError) as failed:
            self.wrong.append(f"{name}: {failed}")
            print(self.wrong[-1], flush=True)
        finally:
            limit.close()

    def program(self, name):
        return os.path.join(os.path.abspath(self.args.bin_dir), name)

    def threads(self):
        # Tiny steps are no work for several, and on a busy machine they would only wait for each other.
        return "1" if self.args.small else str(min(16, len(os.sched_getaffinity(0))))

    def model(self, name, shape):
        """The directory of a model of this shape, written once."""
        path = self.directory / name
        if not path.exists():
            import random_model
            print(f"writing a model of the shape {name} with random bf16 weights", flush=True)
            random_model.write(path, shape, self.torch_device)
        return str(path)

    def check_results(self, limit):
        """20 steps on the device, three ways."""
        model = self.model("check", SMALL["small"] if self.args.small else CHECKED)
        for precision in ("fp32", "bf16"):
            for quantize in ("none", "nf4"):
                name = precision + ("" if quantize == "none" else ", base in " + quantize)
                answer = json.loads(limit.output([
                    self.program("device-check"), "--model", model, "--precision", precision, "--quantize", quantize,
                    "--device", self.torch_device, "--threads", self.threads()]))
                for check in answer["checks"]:
                    right = not isinstance(check["losses"], str) and check["losses"] <= LIMITS[precision]
                    text = (f"{name}: {check['what']}: losses of 20 steps within {shown(check['losses'])} "
                            f"(at most {LIMITS[precision]:.0e}), adapters within {shown(check['adapters'])}")
                    print(("right: " if right else "WRONG: ") + text, flush=True)
                    if not right:
                        self.wrong.append(text)

    def table(self, limit, name, shape):
        model = self.model(name, shape)
        todo, paths = cases(self.args.small), []
        for i, case in enumerate(todo):
            paths.append(str(self.directory / f"{name}-{i}.json"))
            write_case(paths[-1], case, min(shape.vocabulary, 512))
        common = ["--model", model, "--precision", "bf16", "--device", self.torch_device, "--threads", self.threads()]
        for path in paths:
            common += ["--batches", path]
        sides = [Side("scm", [self.program("train-bench")] + common, limit, self.directory)]
        if self.peer:
            sides.append(Side("peft", [sys.executable, str(HERE / "peft_bench.py")] + common, limit, self.directory))
        alone = {}
        for i, case in enumerate(todo):
            taking = sides if case.peer else sides[:1]
            self.row(name, shape, case, paths[i], i, taking)
            if case.runs == 1:
                alone[case.rows, case.length] = sides[0].seconds
            else:
                ratios = [a / b for a, b in zip(sides[0].seconds, alone[case.rows, case.length])]
                self.lines.append(ratio_line(f"{name}, a step of {case.runs} seeds in one pass, {case.rows} × "
                                             f"{case.length}", ratios, "one seed"))

    def row(self, name, shape, case, path, index, sides):
        for side in sides:
            side.use(index)
            side.turn(1, warm_up=True)
        if index == 0 and len(sides) > 1:
            ours, theirs = (side.losses[0] for side in sides)
            if not abs(ours - theirs) <= PEER_LIMIT * theirs:
                raise Failed(f"the first loss of scm is {ours}, that of peft {theirs}")
        for side in sides:
            side.turn(2, warm_up=True)
        steps = [max(1, round(self.turn_seconds / side.step_seconds)) for side in sides]
        for i in range(ROUNDS):
            order = list(zip(sides, steps))
            for side, count in order if i % 2 == 0 else order[::-1]:
                side.turn(count)
        for side in sides:
            side.check()
        ours = sides[0]
        ceiling = self.args.peak_tflops * 1e12 / operations_per_token(path, shape)
        text = f"{name}, {case.name}: scm {spread(ours.speeds, 0)} tokens/s, {ours.peak / 1e9:.2f} GB"
        if self.cuda:
            text += (f", {statistics.median(ours.speeds) / ceiling:.0%} of the {ceiling:.0f} that "
                     f"{self.args.peak_tflops:.0f} TFLOP/s allow, {self.gaps(ours)}")
        if len(sides) > 1:
            text += f"; peft {spread(sides[1].speeds, 0)} tokens/s, {sides[1].peak / 1e9:.2f} GB"
            self.lines.append(ratio_line(f"{name}, {case.name}", [a / b for a, b in zip(ours.speeds, sides[1].speeds)],
                                         "peft"))
        print(text, flush=True)

    @staticmethod
    def gaps(side):
        answer = side.ask("gaps")
        if "why" in answer:
            return f"launch gaps not measured ({answer['why']})"
        return f"launch gaps {answer['gaps']:.1%} ({answer['activities'] / answer['steps']:.0f} launches a step)"

    def score(self, limit, name, shape):
        items, count = str(self.directory / "items.json"), 8 if self.args.small else 200
        scoring.write_items(items, count, 1, shape.vocabulary)
        command = [self.program("score-bench"), "--model", self.model(name, shape), "--items", items,
                   "--precision", "bf16", "--device", self.torch_device, "--threads", self.threads()]
        side = Side("score-bench", command, limit, self.directory)
        side.ask("score")  # warm-up
        rates = []
        for _ in range(ROUNDS):
            answer = side.ask("score")
            if not all(isinstance(x, float) and x < 0 for x in answer["log_likelihoods"]):
                raise Failed("a log-likelihood is no negative number")
            rates.append(len(answer["log_likelihoods"]) / answer["seconds"])
        print(f"{name}, bf16: {spread(rates, 0)} choices/s of one token, four an item, behind 100 to 200 tokens", flush=True)

    def worker(self, limit, name, shape):
        """An experiment of two seeds, by coordinator and worker of their own."""
        home = self.directory / "home"
        environment = {**os.environ, "SCM_HOME": str(home)}
        environment.pop("SCM_COORDINATOR", None)
        path = self.directory / "experiment.yaml"
        path.write_text(EXPERIMENT.format(
            model=self.model(name, shape), corpus=CORPUS, steps=WORKER_STEPS, half=WORKER_STEPS // 2,
            length=128 if self.args.small else 512, resources="{gpus: 1}" if self.cuda else "{gpus: 0}"))

        def scmctl(*words):
            return limit.output([self.program("scmctl"), *map(str, words)], env=environment, cwd=self.directory)

        try:
            scmctl("local", "up", "--workers", "1")
            began = time.monotonic()
            identifier = json.loads(scmctl("submit", path, "-o", "json"))["experiment"]
            try:
                scmctl("wait", identifier)
            except (Failed, OSError) as failed:
                raise Failed(f"{failed}\n{scmctl('why', identifier)}") from None
            seconds = time.monotonic() - began
            for run in json.loads(scmctl("runs", identifier, "-o", "json"))["runs"]:
                points = json.loads(scmctl("metrics", run["id"], "-o", "json"))["points"]
                losses = {p["step"]: p["value"] for p in points if p["name"] == "validation_loss"}
                first, last = losses[0], losses[WORKER_STEPS]
                print(f"seed {run['seed']}: {run['state']} at step {run['step']}, validation loss {first:.4f} → {last:.4f}", flush=True)
                if run["state"] != "SUCCEEDED" or not last < first:
                    raise Failed(f"seed {run['seed']} did not learn")
            print(f"{WORKER_STEPS} steps of two seeds, from the submission to the end: {seconds:.0f} s", flush=True)
        finally:
            with contextlib.suppress(OSError):
                subprocess.run([self.program("scmctl"), "local", "down"], env=environment, cwd=self.directory,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)

    def all(self):
        shapes = SMALL if self.args.small else SHAPES
        first, *others = shapes.items()
        self.part("correctness", 20, 100, self.check_results)
        self.part(f"training, {first[0]} shape", 40, 150, self.table, *first)
        self.part(f"a worker, {first[0]} shape", 30, 90, self.worker, *first)
        self.part(f"scoring, {first[0]} shape", 10, 40, self.score, *first)
        for shape in others:
            self.part(f"training, {shape[0]} shape", 60, 150, self.table, *shape)
        self.left_out.append("generation: scm generates no text yet")
        if not self.peer:
            self.left_out.append("peft: --no-peer was given" if self.args.no_peer else
                                 f"peft: {sys.executable} has no transformers and peft")

    def finish(self):
        print()
        for text in self.left_out:
            print(f"left out: {text}")
        for text in self.wrong:
            print(f"WRONG: {text}")
        for line in self.lines:
            print(line)
        return 1 if self.wrong else 0


EXPERIMENT = """
name: gpu-bench
stages: [replicate]
model: {{base: {model}}}
data: {{corpus: {corpus}, max_length: {length}, packing: true,
  split: {{train: 0.6, validation: 0.1, test: 0.3, by: document, seed: 1}}}}
lora: {{r: 16, alpha: 32, dropout: 0.1}}
trainer: {{parameters: {{max_validation_items: 8}}}}
training: {{learning_rate: 1.0e-3, batch_size: 4, max_steps: {steps}, warmup_steps: 2, save_steps: {half},
  eval_steps: {half}, early_stopping: none, precision: bf16}}
replicate: {{seeds: [11, 12]}}
resources: {resources}
abort: {{no_convergence: none, below_random: none, non_finite: true, stalled: none}}
"""


def machine(cuda):
    if not cuda:
        return "the CPU: a try of this script, whose figures say nothing about a GPU"
    try:
        return subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "a GPU of which nvidia-smi says nothing"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny shapes")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--peak-tflops", type=float, default=790, help="what the GPU's bf16 products reach")
    parser.add_argument("--python", help="for bench/gpu.sh")
    parser.add_argument("--no-peer", action="store_true")
    args = parser.parse_args()
    if args.device == "cuda" and find_gpu.main():
        return find_gpu.NO_GPU
    print(f"on {machine(args.device == 'cuda')}")
    with tempfile.TemporaryDirectory(prefix="scm-gpu-") as directory:
        gpu = Gpu(args, directory)
        gpu.all()
        return gpu.finish()


if __name__ == "__main__":
    sys.exit(main())
