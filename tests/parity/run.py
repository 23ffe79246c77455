"""Runs every parity test against the reference libraries and prints how many ran."""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin-dir", required=True, help="where the built programs lie")
    arguments = parser.parse_args()
    python = ROOT / ".venv-parity" / "bin" / "python"
    ran = 0
    failed, skipped = [], []
    for test in sorted(HERE.glob("test_*.py")):
        print(f"== {test.name}", flush=True)
        outcome = subprocess.run(
            [python, "-B", test, "--bin-dir", pathlib.Path(arguments.bin_dir).resolve()],
            cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(outcome.stdout[-6000:], flush=True)
        counted = re.search(r"Ran (\d+) tests?", outcome.stdout)
        ran += int(counted.group(1)) if counted else 0
        if outcome.returncode != 0 or counted is None:
            failed.append(test.name)
        skipped += re.findall(r"^(\w+) .*\.\.\. skipped (.*)$", outcome.stdout, re.MULTILINE)
    for name, reason in skipped:
        print(f"skipped: {name}: {reason}")
    print(f"{ran - len(skipped)} parity tests ran, {len(skipped)} skipped"
          + (f"; failed: {', '.join(failed)}" if failed else ", all passed"))
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
