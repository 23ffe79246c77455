"""LoRA training of scm against transformers + peft, on the same machine in the same minutes.

    PYTHON bench/bench.py --bin-dir build/bin [--base OTHER/build/bin] [--threads 2] [--rounds 3]
                          [--case full|short] [--precision fp32|bf16]

PYTHON has transformers and peft. A Llama model of SmolLM2-135M's shape gets random weights in a
temporary directory; both programs train it (LoRA r16 on q, v, o, gate, dropout 0.1, AdamW) on the same
batches. They take turns, a few steps each, so that a busy machine slows both alike; speeds are the
medians of the turns. A side whose gradient norm is zero or whose loss does not fall fails the bench.
Tokens are counted without padding.

Between the turns the machine's arithmetic units are measured by themselves, each type that it has. A
step needs a number of operations that follows from the model; its share of what they could do in that
time says how far the ratio of the two sides can still grow on this CPU. SCM_CPU_KERNELS chooses the
kernels of scm. With --base the train-bench of another build takes turns too.
"""
import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import typing

HERE = os.path.dirname(os.path.abspath(__file__))


class Shape(typing.NamedTuple):
    """A Llama model; embeddings are tied."""
    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int

    def head_dim(self):
        return self.hidden // self.heads


SMOLLM2 = Shape(49152, 576, 1536, 30, 9, 3)
VOCABULARY = SMOLLM2.vocabulary
R = 16
# name, rows, length, shortest row, labels a row (None: every position)
CASES = {"full": (4, 512, 512, None), "short": (8, 64, 28, 4)}


def write_model(directory):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=SMOLLM2.hidden, intermediate_size=SMOLLM2.intermediate,
        num_hidden_layers=SMOLLM2.layers, num_attention_heads=SMOLLM2.heads,
        num_key_value_heads=SMOLLM2.kv_heads,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5, rope_theta=100000.0, tie_word_embeddings=True)
    LlamaForCausalLM(config).save_pretrained(directory)


def write_batches(path, case, count=2):
    rows, length, shortest, answer = CASES[case]
    rng = random.Random(7)
    batches = []
    for _ in range(count):
        tokens, segments, labels = [], [], []
        for _ in range(rows):
            n = rng.randint(shortest, length)
            # A skewed distribution: there is something to learn in a few steps.
            text = [min(int(rng.expovariate(1 / 400.0)), VOCABULARY - 1) for _ in range(n + 1)]
            first = 0 if answer is None else n - answer
            tokens += text[:n] + [0] * (length - n)
            segments += [0] * n + [-1] * (length - n)
            labels += [text[i + 1] if first <= i < n else -100 for i in range(length)]
        batches.append({"tokens": tokens, "segments": segments, "labels": labels})
    # transformers cannot predict beyond its row: no label at the very last position on either side.
    for batch in batches:
        for row in range(rows):
            batch["labels"][row * length + length - 1] = -100
    with open(path, "w") as file:
        json.dump({"rows": rows, "length": length, "batches": batches}, file)


def documents(segments):
    """Lengths of the documents of a row, by its segments."""
    return [sum(1 for _ in group) for segment, group in itertools.groupby(segments) if segment >= 0]


def operations_per_token(path, shape=SMOLLM2, attention_products=7):
    """What a step must compute: products with the frozen weights forward and backward, attention on
    what is visible, the adapters and their gradients; not what one may choose to compute again.
    Attention is two products forward and four backward, five where the scores are not kept."""
    with open(path) as file:
        data = json.load(file)
    hidden, kv = shape.hidden, shape.head_dim() * shape.kv_heads
    qkv = hidden * (hidden + 2 * kv)
    layer = qkv + hidden * hidden + 3 * hidden * shape.intermediate
    # Nothing lies below the first layer's q, k and v.
    base = 2 * (2 * shape.layers * layer - qkv)
    adapters = [(hidden, hidden), (hidden, kv), (hidden, hidden), (hidden, shape.intermediate)]
    lora = 2 * 3 * R * shape.layers * sum(i + o for i, o in adapters)
    total = tokens = 0
    for batch in data["batches"]:
        labels = sum(label >= 0 for label in batch["labels"])
        total += labels * 2 * 2 * hidden * shape.vocabulary
        for row in range(data["rows"]):
            length = data["length"]
            for n in documents(batch["segments"][row * length:(row + 1) * length]):
                tokens += n
                total += n * (base + lora) + shape.layers * attention_products * hidden * n * (n + 1)
    return total / tokens


class Side:
    def __init__(self, name, command, log=subprocess.DEVNULL, watch=lambda process: None):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=log, text=True)
        watch(self.process)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not start: {' '.join(command)}")
        self.speeds, self.losses, self.norms, self.peak = [], [], [], 0
        self.step_seconds = 0  # in the last turn

    def turn(self, steps, warm_up=False):
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended early")
        result = json.loads(line)
        self.losses += result["losses"]
        self.norms += result["grad_norms"]
        self.peak = max(self.peak, result["peak_bytes"])
        if not warm_up:
            self.speeds.append(result["tokens"] / result["seconds"])
        self.step_seconds = result["seconds"] / steps

    def peak_flops(self):
        self.process.stdin.write("peak\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def finish(self):
        self.process.stdin.close()
        self.process.wait()
        half = len(self.losses) // 2
        if not all(norm > 0 for norm in self.norms):
            raise SystemExit(f"{self.name}: a gradient norm is not above zero: {self.norms}")
        first, last = statistics.mean(self.losses[:half]), statistics.mean(self.losses[half:])
        if not last < first:
            raise SystemExit(f"{self.name}: the loss does not fall: {self.losses}")


def progress(text):
    print(text, file=sys.stderr, flush=True)


def compare(args, model, batches, case, precision):
    common = ["--model", model, "--batches", batches, "--precision", precision,
              "--threads", str(args.threads)]
    sides = [Side("scm", [os.path.join(args.bin_dir, "train-bench")] + common),
             Side("peft", [sys.executable, os.path.join(HERE, "peft_bench.py")] + common)]
    if args.base:
        sides.append(Side("base", [os.path.join(args.base, "train-bench")] + common))
    steps = args.steps * (4 if case == "short" else 1)
    name = f"{case} {precision}"
    for side in sides:
        side.turn(1, warm_up=True)
        progress(f"{name}: {side.name} is warm, {side.step_seconds:.0f} s a step")
    peaks, kernels = {}, ""
    order = [side for i in range(args.rounds) for side in (sides if i % 2 == 0 else sides[::-1])]
    for i, side in enumerate(order):
        side.turn(steps)
        look = sides[0].peak_flops()
        kernels = look["kernels"]
        # A look is short, and whatever disturbs it makes it lower.
        for kind, flops in look["peak_flops"].items():
            peaks[kind] = max(flops, peaks.get(kind, 0))
        left = steps * sum(later.step_seconds for later in order[i + 1:])
        progress(f"{name}: turn {i + 1} of {len(order)}, {side.name} {side.speeds[-1]:.0f} tok/s, "
                 f"about {left / 60:.0f} min left")
    for side in sides:
        side.finish()
    ours, theirs = sides[:2]
    ratios = sorted(a / b for a, b in zip(ours.speeds, theirs.speeds))
    needed = operations_per_token(batches)
    shares = {name: [round(statistics.median(side.speeds) * needed / peak, 3) for side in sides[:2]]
              for name, peak in peaks.items() if precision == "bf16" or name == "fp32"}
    result = {"case": case, "precision": precision, "threads": args.threads,
            "scm_tokens_per_second": round(statistics.median(ours.speeds), 1),
            "peft_tokens_per_second": round(statistics.median(theirs.speeds), 1),
            "speed_ratio": round(statistics.median(ratios), 2),
            "speed_ratio_range": [round(ratios[0], 2), round(ratios[-1], 2)],
            "kernels": kernels,
            "peak_gflops": {name: round(peak / 1e9, 1) for name, peak in peaks.items()},
            "scm_share_of_peak": {name: share[0] for name, share in shares.items()},
            "peft_share_of_peak": {name: share[1] for name, share in shares.items()},
            "scm_peak_bytes": ours.peak, "peft_peak_bytes": theirs.peak,
            "memory_ratio": round(ours.peak / theirs.peak, 3),
            "scm_losses": [round(ours.losses[0], 4), round(ours.losses[-1], 4)],
            "peft_losses": [round(theirs.losses[0], 4), round(theirs.losses[-1], 4)]}
    if args.base:
        bases = sorted(a / b for a, b in zip(ours.speeds, sides[2].speeds))
        result["base_tokens_per_second"] = round(statistics.median(sides[2].speeds), 1)
        result["base_ratio"] = round(statistics.median(bases), 2)
        result["base_ratio_range"] = [round(bases[0], 2), round(bases[-1], 2)]
        result["base_peak_bytes"] = sides[2].peak
    return result


def base_text(result):
    if "base_ratio" not in result:
        return ""
    low, high = result["base_ratio_range"]
    return (f"base {result['base_tokens_per_second']:.0f} tok/s, {result['base_peak_bytes'] / 1e9:.2f} GB, "
            f"scm {result['base_ratio']:.2f} times as fast (turns {low:.2f} to {high:.2f}); ")


def share_text(result):
    ours, theirs = result["scm_share_of_peak"], result["peft_share_of_peak"]
    parts = [f"{ours[name]:.0%} and {theirs[name]:.0%} of {result['peak_gflops'][name]:.0f} {name} GFLOP/s"
             for name in ours]
    if result["precision"] == "fp32" and parts:
        parts.append(f"where {1 / theirs['fp32']:.2f} times is the most there is")
    return ", ".join([f"kernels {result['kernels']}"] + parts) + "; "


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--base", help="programs of another build, measured in turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1, help="steps a turn")
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--precision", choices=["fp32", "bf16"], action="append")
    parser.add_argument("-o", choices=["table", "json"], default="table")
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as directory:
        model = os.path.join(directory, "model")
        write_model(model)
        for case in args.case or list(CASES):
            batches = os.path.join(directory, case + ".json")
            write_batches(batches, case)
            for precision in args.precision or ["fp32", "bf16"]:
                results.append(compare(args, model, batches, case, precision))
                if args.o == "table":
                    r = results[-1]
                    print(f"{case:5} {precision}: scm {r['scm_tokens_per_second']:.0f} tok/s, "
                          f"{r['scm_peak_bytes'] / 1e9:.2f} GB; peft "
                          f"{r['peft_tokens_per_second']:.0f} tok/s, "
                          f"{r['peft_peak_bytes'] / 1e9:.2f} GB; {r['speed_ratio']:.2f} times as "
                          f"fast (turns {r['speed_ratio_range'][0]:.2f} to "
                          f"{r['speed_ratio_range'][1]:.2f}) at {r['memory_ratio']:.2f} of the "
                          f"memory; "
                          f"{base_text(r)}{share_text(r)}loss {r['scm_losses'][0]} → {r['scm_losses'][1]}, "
                          f"{r['peft_losses'][0]} → {r['peft_losses'][1]}", flush=True)
    if args.o == "json":
        print(json.dumps({"results": results}, indent=1))


if __name__ == "__main__":
    main()
