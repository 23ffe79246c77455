#!/usr/bin/env python3
"""Compiles the CUDA kernels for three architectures, without a GPU, by the code that compiles them for one,
and compares what they take (registers, spills, shared memory) with the table in docs/gpu-kernels.md.

    scripts/check_cuda.py [--bin-dir build/bin] [--write]

Exit 1: a kernel does not compile, spills, or takes something else than the table says.
"""
import argparse
import difflib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "gpu-kernels.md"
TARGETS = ("sm_80", "sm_90a", "sm_100")
TABLE = re.compile(r"(?<=<!-- kernels -->\n).*?(?=<!-- /kernels -->)", re.DOTALL)


def spilling(table: str):
    """Rows with a cell "registers / spills / shared" whose spills are not 0."""
    return [row for row in table.splitlines() if any(cell[1] != "0" for cell in re.findall(r"(\d+) / (\d+) / \d+", row))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bin-dir", default=ROOT / "build" / "bin", type=pathlib.Path)
    parser.add_argument("--nvrtc", type=pathlib.Path, help="the directory of libnvrtc (default: in .venv-cuda)")
    parser.add_argument("--write", action="store_true", help="write the table into the document")
    options = parser.parse_args()
    nvrtc = options.nvrtc or next(iter(ROOT.glob(".venv-cuda/lib/python3*/site-packages/nvidia/cu13/lib")), None)
    if nvrtc is None:
        print("there is no NVRTC in .venv-cuda: run scripts/setup.sh nvrtc", file=sys.stderr)
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
        print("the table in docs/gpu-kernels.md is another one: make check-cuda WRITE=1")
        return 1
    print(f"the kernels compile for {', '.join(TARGETS)}; no GPU was asked")
    return 1 if spilling(done.stdout) else 0


if __name__ == "__main__":
    sys.exit(main())
