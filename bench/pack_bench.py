"""Five seeds in one process of scm-trainer against the same five one after the other, on the same machine in the
same minutes, at the quickstart's shape.

    python3 bench/pack_bench.py --bin-dir build/bin --model DIR_OR_GGUF [--steps 60] [--rounds 3] [--cpus 1]
                                [--seeds 5] [--precision fp32|bf16]

The sides take turns. Times are those of whole processes, from start to exit, loading included; CPU time suffers less
than wall time where something else runs. Peak memory is what the kernel says of a process. Each round compares the adapters byte by byte, and a difference fails the
bench. The last lines are NAME: RATIO x PEER (lowest–highest).
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parameters(args):
    return {
        "model": {"base": str(pathlib.Path(args.model).resolve())},
        "data": {"corpus": str(ROOT / "samples/corpus"), "max_length": 128, "packing": False,
                 "split": {"train": 0.6, "validation": 0.1, "test": 0.3, "by": "document", "seed": 1}},
        "lora": {"r": 16, "alpha": 32, "dropout": 0.1, "target_modules": args.modules.split(",")},
        "training": {"learning_rate": 3e-3, "schedule": "linear", "batch_size": 4, "max_steps": args.steps,
                     "warmup_steps": min(6, args.steps), "save_steps": args.steps, "eval_steps": 10,
                     "loss_on": "answer", "max_grad_norm": 1e9, "early_stopping": None,
                     "precision": args.precision},
        "trainer": {"command": ["scm-trainer"],
                    "parameters": {"train_tasks": ["jurisdiction_classification"], "max_validation_items": 12}}}


def work_order(args, seeds, work_dir):
    order = {"protocol": 1, "experiment": {"id": "e-1", "name": "bench"}, "task": {"id": "k-1", "kind": "train"},
             "run": None, "attempt": 1, "parameters": parameters(args), "max_steps": args.steps,
             "stop_at_step": args.steps, "save_steps": args.steps, "eval_steps": 10, "resume_from": None,
             "inputs": [], "work_dir": str(work_dir), "resources": {"cpus": args.cpus, "gpus": []}}
    runs = [{"id": f"r-{seed}", "trial": "t-1", "seed": seed} for seed in seeds]
    if len(runs) == 1:
        order["run"] = runs[0]
    else:
        order["runs"] = [dict(run, parameters=parameters(args), resume_from=None) for run in runs]
    return order


def train(args, seeds, directory):
    """One process: its seconds, those of CPU, and its peak memory in bytes."""
    directory.mkdir()
    order = directory / "spec.json"
    order.write_text(json.dumps(work_order(args, seeds, directory / "work")))
    with open(directory / "reports.jsonl", "w") as reports, open(directory / "log", "w") as log:
        began = time.monotonic()
        process = subprocess.Popen([os.path.join(args.bin_dir, "scm-trainer"), order], stdin=subprocess.DEVNULL,
                                   stdout=reports, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit((directory / "log").read_text())
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def checkpoint(directory, name, args):
    folder = directory / "work" / name / f"checkpoints/step-{args.steps}"
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--modules", default="q_proj,k_proj")
    args = parser.parse_args()
    seeds = list(range(11, 11 + args.seeds))
    times, cpu_times, memory = [], [], []
    for turn in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            alone = [(seed, directory / f"alone-{seed}") for seed in seeds]
            sides = [("packed", lambda: train(args, seeds, directory / "packed")),
                     ("alone", lambda: [train(args, [seed], folder) for seed, folder in alone])]
            results = {}
            for side, work in sides if turn % 2 == 0 else sides[::-1]:
                results[side] = work()
                print(f"turn {turn + 1} of {args.rounds}: {side} {results[side]}", file=sys.stderr, flush=True)
            for seed, folder in alone:
                if checkpoint(directory / "packed", f"r-{seed}", args) != checkpoint(folder, "", args):
                    raise SystemExit(f"seed {seed} is another one in the pack")
            packed, each = results["packed"], list(zip(*results["alone"]))
            times.append(packed[0] / sum(each[0]))
            cpu_times.append(packed[1] / sum(each[1]))
            memory.append(packed[2] / statistics.median(each[2]))
    name = f"{args.seeds} seeds in one process, {args.precision}"
    for what, ratios, peer in (("wall time", times, "one after the other"),
                               ("CPU time", cpu_times, "one after the other"),
                               ("peak memory", memory, "one seed")):
        print(f"{name}, {what}: {statistics.median(ratios):.2f} x {peer} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
