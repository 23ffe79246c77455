"""Scoring choices with scm against lm-evaluation-harness, on the same machine in the same minutes.

    PYTHON bench/scoring.py --bin-dir build/bin [--threads 2] [--rounds 5] [--items 24] [--tokens 1|7]
                            [--precision fp32|bf16]

PYTHON has transformers and lm_eval. A Llama model of SmolLM2-135M's shape gets random weights in a
temporary directory; both programs score the same items: four choices each, of one token or of seven,
behind prompts of 100 to 200 tokens. They take turns, a pass over all items each, so that a busy machine
slows both alike. Sides whose log-likelihoods differ fail the bench. The last lines are
NAME: RATIO x PEER (lowest–highest).
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

import bench

# Relative to a log-likelihood. In bf16 both sides round, at different places.
TOLERANCE = {"fp32": 1e-4, "bf16": 1e-2}


def write_items(path, count, tokens, vocabulary=bench.VOCABULARY):
    rng = random.Random(11)
    draw = lambda n: [rng.randrange(vocabulary) for _ in range(n)]
    items = [{"prompt": draw(rng.randint(100, 200)), "choices": [draw(tokens) for _ in range(4)]}
             for _ in range(count)]
    with open(path, "w") as file:
        json.dump({"items": items}, file)


class Side:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not start: {' '.join(command)}")
        self.seconds, self.peak = [], 0

    def turn(self, warm_up=False):
        self.process.stdin.write("score\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended early")
        result = json.loads(line)
        self.peak = max(self.peak, result["peak_rss"])
        if not warm_up:
            self.seconds.append(result["seconds"])
        return result["log_likelihoods"]

    def finish(self):
        self.process.stdin.close()
        self.process.wait()


def compare(args, model, items, tokens, precision):
    common = ["--model", model, "--items", items, "--precision", precision, "--threads", str(args.threads)]
    here = os.path.dirname(os.path.abspath(__file__))
    sides = [Side("scm", [os.path.join(args.bin_dir, "score-bench")] + common),
             Side("lm_eval", [sys.executable, os.path.join(here, "lm_eval_bench.py")] + common)]
    ours, theirs = (side.turn(warm_up=True) for side in sides)
    worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    if len(ours) != len(theirs) or not worst < TOLERANCE[precision]:
        raise SystemExit(f"{tokens} tokens {precision}: the sides differ by {worst:.1e}")
    for i in range(args.rounds):
        for side in sides if i % 2 == 0 else sides[::-1]:
            side.turn()
            bench.progress(f"{tokens} tokens {precision}: round {i + 1} of {args.rounds}, {side.name} "
                           f"{side.seconds[-1]:.2f} s")
    for side in sides:
        side.finish()
    ratios = sorted(theirs / ours for ours, theirs in zip(sides[0].seconds, sides[1].seconds))
    rates = [len(ours) / statistics.median(side.seconds) for side in sides]
    print(f"{rates[0]:.0f} and {rates[1]:.0f} choices/s, {sides[0].peak / 1e9:.2f} and "
          f"{sides[1].peak / 1e9:.2f} GB, log-likelihoods within {worst:.1e}", flush=True)
    return (f"choices of {tokens} token{'s' if tokens > 1 else ''}, {precision}: "
            f"{statistics.median(ratios):.2f} x lm_eval ({ratios[0]:.2f}–{ratios[-1]:.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--items", type=int, default=24)
    parser.add_argument("--tokens", type=int, choices=[1, 7], action="append")
    parser.add_argument("--precision", choices=["fp32", "bf16"], action="append")
    args = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        model = os.path.join(directory, "model")
        bench.write_model(model)
        for tokens in args.tokens or [1, 7]:
            items = os.path.join(directory, f"{tokens}.json")
            write_items(items, args.items, tokens)
            for precision in args.precision or ["fp32", "bf16"]:
                lines.append(compare(args, model, items, tokens, precision))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
