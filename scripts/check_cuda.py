#!/usr/bin/env python3
"""What can be known of the CUDA build without a GPU. The kernels are compiled for three architectures by the code
that compiles them for one, and what they take (registers, spills, shared memory) is compared with the table in
docs/gpu-kernels.md. With --wheel, the programs built with that environment's torch are started, too: their libraries
are all found, an experiment trains on the CPU, and whoever wants a GPU that is not there reads why.

    scripts/check_cuda.py [--bin-dir build/bin] [--wheel .venv-cuda] [--write]

Exit 1: something of this is not so.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fakes"))
import tiny_model  # noqa: E402

DOCUMENT = ROOT / "docs" / "gpu-kernels.md"
TARGETS = ("sm_80", "sm_90a", "sm_100")
TABLE = re.compile(r"(?<=<!-- kernels -->\n).*?(?=<!-- /kernels -->)", re.DOTALL)


def spilling(table: str):
    """Rows with a cell "registers / spills / shared" whose spills are not 0."""
    return [row for row in table.splitlines() if any(cell[1] != "0" for cell in re.findall(r"(\d+) / (\d+) / \d+", row))]


class Differs(Exception):
    """What is not as it must be, in a sentence."""


def expect(holds: bool, sentence: str):
    if not holds:
        raise Differs(sentence)


def check_libraries(program: pathlib.Path, packages: pathlib.Path):
    found = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    missing = [line.strip() for line in found.splitlines() if "not found" in line]
    expect(not missing, f"{program.name}: {'; '.join(missing)}")
    for library in ("libtorch_cuda.so", "libnccl.so.2", "libcudart.so.13", "libcublas.so.13"):
        place = re.search(re.escape(library) + r" => (\S+)", found)
        expect(place is not None and pathlib.Path(place[1]).resolve().is_relative_to(packages.resolve()),
               f"{program.name} takes {library} from {place[1] if place else 'nowhere'}, not from {packages}")
    print(f"{program.name}: all libraries are found, torch's and NVIDIA's in {packages}")


def work_order(directory: pathlib.Path, gpus):
    model = tiny_model.write(directory / "model", seed=5)
    return {
        "protocol": 1, "experiment": {"id": "e-1", "name": "cuda"}, "task": {"id": "k-1", "kind": "train"},
        "run": {"id": "r-1", "trial": "t-1", "seed": 11}, "attempt": 1,
        "parameters": {
            "model": {"base": str(model)},
            "data": {"corpus": str(ROOT / "samples" / "corpus"), "max_length": 64, "packing": True,
                     "split": {"train": 0.6, "validation": 0.1, "test": 0.3, "by": "document", "seed": 1}},
            "lora": {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": ["q_proj", "down_proj"]},
            "trainer": {"parameters": {"max_validation_items": 4}},
            "training": {"learning_rate": 1e-3, "warmup_steps": 1, "batch_size": 2, "gradient_accumulation": 1,
                         "early_stopping": None, "precision": "fp32"}},
        "max_steps": 4, "stop_at_step": 4, "save_steps": 4, "eval_steps": 4, "resume_from": None, "inputs": [],
        "work_dir": str(directory / "work"), "resources": {"cpus": 1, "gpus": gpus}}


def train(bin_dir: pathlib.Path, gpus, environment=None):
    """The trainer's last report."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        spec = directory / "spec.json"
        spec.write_text(json.dumps(work_order(directory, gpus)))
        done = subprocess.run([bin_dir / "scm-trainer", spec], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=environment)
        reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        expect(bool(reports) and done.returncode in (0, 1),
               f"scm-trainer ends with {done.returncode}: {done.stderr[-2000:]}")
        return reports[-1]


def check_old_driver(bin_dir: pathlib.Path):
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", f"{directory}/libcuda.so.1",
                        ROOT / "tests" / "fakes" / "old_cuda_driver.c"], check=True)
        last = train(bin_dir, [0], {**os.environ, "LD_LIBRARY_PATH": directory})
    expect(last.get("kind") == "bad_input" and "the driver is for CUDA 12.8" in last["message"],
           f"scm-trainer beside a driver that is too old ends with {last}")
    print(f"beside a driver that is too old: {last['message']}")


def check_programs(bin_dir: pathlib.Path, packages: pathlib.Path):
    for name in ("scm-trainer", "scm-evaluator", "gpu-probe", "train-bench", "device-check"):
        check_libraries(bin_dir / name, packages)
    told = subprocess.run([bin_dir / "gpu-probe"], stdout=subprocess.PIPE, text=True)
    expect(told.returncode == 0, f"gpu-probe ends with {told.returncode}")
    look = json.loads(told.stdout)
    expect(look["cuda_build"] and look["nccl"], f"the build lacks CUDA or NCCL: {look}")
    print(f"devices: {look['devices']}\na lease of one: {look['gpu']}\na gang over NCCL: {look['gang']}")
    last = train(bin_dir, [])
    expect(last["type"] == "done", f"four steps on the CPU end with {last}")
    print("scm-trainer with the CUDA wheel trains four steps on the CPU")
    last = train(bin_dir, [0])
    if look["devices"]:
        expect(last["type"] == "done", f"four steps on the GPU end with {last}")
        return
    expect(last.get("kind") == "bad_input" and last["message"] == look["gpu"],
           f"scm-trainer, asked for a GPU that is not there, ends with {last}")
    expect("NCCL cannot start" in look["gang"], f"a gang without a GPU ends with {look['gang']}")
    print("scm-trainer, asked for a GPU, reports the same sentence and fails as bad_input")
    check_old_driver(bin_dir)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin-dir", default=ROOT / "build" / "bin", type=pathlib.Path)
    parser.add_argument("--nvrtc", type=pathlib.Path, help="the directory of libnvrtc (default: in .venv-cuda)")
    parser.add_argument("--wheel", type=pathlib.Path, help="the environment with whose torch the programs were built")
    parser.add_argument("--write", action="store_true", help="write the table into the document")
    options = parser.parse_args()
    nvrtc = options.nvrtc or next(iter(ROOT.glob(".venv-cuda/lib/python3*/site-packages/nvidia/cu13/lib")), None)
    if nvrtc is None:
        print("there is no NVRTC in .venv-cuda: run scripts/setup.sh nvrtc", file=sys.stderr)
        return 1
    if options.wheel:
        try:
            check_programs(options.bin_dir, next(options.wheel.glob("lib/python3*/site-packages")))
        except Differs as differs:
            print(differs, file=sys.stderr)
            return 1
    done = subprocess.run([options.bin_dir / "kernel-table", nvrtc, *TARGETS], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return 1
    print(done.stdout, end="")
    for row in spilling(done.stdout):
        print(f"spills: {row}")
    text = DOCUMENT.read_text()
    known = TABLE.search(text).group()
    if options.write:
        DOCUMENT.write_text(TABLE.sub(lambda _: done.stdout, text))
    elif known != done.stdout:
        sys.stdout.writelines(difflib.unified_diff(known.splitlines(True), done.stdout.splitlines(True),
                                                   "docs/gpu-kernels.md", "NVRTC"))
        print("the table in docs/gpu-kernels.md is another one: make check-kernels WRITE=1")
        return 1
    print(f"the kernels compile for {', '.join(TARGETS)}; no GPU was asked")
    return 1 if spilling(done.stdout) else 0


if __name__ == "__main__":
    sys.exit(main())
