"""What the parity tests share: the --bin-dir argument, running our programs, finding test models."""
import argparse
import importlib.util
import pathlib
import subprocess
import sys
import unittest

BIN_DIR = pathlib.Path("build/bin")


def main(module="__main__"):
    """unittest.main with --bin-dir DIR, the folder of the built programs."""
    global BIN_DIR
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--bin-dir", default="build/bin")
    known, rest = parser.parse_known_args()
    BIN_DIR = pathlib.Path(known.bin_dir).resolve()
    # The module that imported this one sees the same object, so set it there too.
    sys.modules["support"].BIN_DIR = BIN_DIR
    unittest.main(module=module, argv=[sys.argv[0]] + rest, verbosity=2)


def run(program, *arguments, check=True):
    """Runs one of our programs and returns the finished process, output as text."""
    done = subprocess.run([str(BIN_DIR / program), *map(str, arguments)], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def package_file(package, pattern):
    """A file of an installed package, or None."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    folder = pathlib.Path(list(spec.submodule_search_locations)[0])
    return next(iter(sorted(folder.glob(pattern))), None)


def smollm2():
    """SmolLM2-135M-Instruct as `scripts/setup.sh model` fetched it."""
    path = pathlib.Path(__file__).resolve().parent.parent.parent / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    if not path.is_file():
        raise AssertionError(f"{path} is missing; run: scripts/setup.sh model")
    return path
