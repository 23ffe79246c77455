#!/usr/bin/env python3
"""Runs fuzzers, each from its seeds and what earlier runs have found, and says how far they came.

    scripts/fuzz.py --build-dir build/fuzz [--runs N] [--jobs N] [NAME...]

What is found stays below the build folder: corpus/NAME/ (inputs that reach new code), crashes/ (inputs
that end or stall a fuzzer) and logs/NAME.log. Ends with 1 when a fuzzer has failed, with 130 when it
was interrupted.
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
SEEDS = SOURCE / "tests/fuzz"
MAX_LENGTH = 4096
MEMORY_MB = 2048
PROGRESS_S = 15
INTERRUPTED = 72  # libFuzzer's exit status
STATUS = re.compile(r"^#(\d+)\s.*?corp: (\d+)/.*?exec/s: (\d+)", re.M)
TAIL_BYTES = 65536


class Fuzzer:
    """One fuzzer: its process, its folders and what its log says."""

    def __init__(self, name, build, runs, timeout, scratch):
        self.name, self.runs, self.timeout = name, runs, timeout
        self.program = build / "bin" / f"{name}_fuzzer"
        self.corpus = build / "corpus" / name
        self.crashes = build / "crashes"
        self.log = build / "logs" / f"{name}.log"
        self.scratch = scratch
        self.process = None
        self.seconds = None  # how long it ran, once it has ended
        for folder in (self.corpus, self.crashes, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.known = set(self._kept())

    def _kept(self):
        return [p for p in self.crashes.iterdir() if p.name.startswith(f"{self.name}-")]

    def start(self):
        command = [self.program, f"-runs={self.runs}", f"-max_len={MAX_LENGTH}", f"-timeout={self.timeout}",
                   f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={self.crashes}/{self.name}-",
                   f"-report_slow_units={self.timeout}", "-print_final_stats=1"]
        dictionary = SEEDS / f"{self.name}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*map(str, command), str(self.corpus), str(SEEDS / "corpus" / self.name)],
                                            stdout=log, stderr=log,
                                            env={"UBSAN_OPTIONS": "print_stacktrace=1", **os.environ,
                                                 "TMPDIR": self.scratch})
        self.began = time.monotonic()

    def is_through(self):
        if self.process.poll() is None:
            return False
        self.seconds = time.monotonic() - self.began
        return True

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def figures(self):
        """Executions, executions a second and corpus size, as the log said last."""
        with open(self.log, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = log.read().decode(errors="replace")
        lines = STATUS.findall(text)
        runs, corpus, speed = map(int, lines[-1]) if lines else (0, 0, 0)
        final = re.search(r"^stat::number_of_executed_units: *(\d+)", text, re.M)
        runs = int(final.group(1)) if final else runs
        # Its own average counts whole seconds.
        return runs, int(runs / self.seconds) if self.seconds else speed, corpus

    def found(self):
        return sorted(set(self._kept()) - self.known)

    def failed(self):
        return bool(self.found()) or self.process.returncode not in (0, INTERRUPTED)

    def last_line(self):
        runs, speed, corpus = self.figures()
        return (f"{self.name}: {runs:,} executions, {speed:,} a second, corpus {corpus:,}, "
                f"crashes {len(self.found())}")


def say_failure(fuzzer):
    for path in fuzzer.found():
        print(f"  {path}\n    to reproduce: {fuzzer.program} {path}")
    if not fuzzer.found():
        print(f"  ended with {fuzzer.process.returncode}")
    print(f"    what it said: {fuzzer.log}", flush=True)


def say_progress(running):
    for fuzzer in running:
        runs, speed, corpus = fuzzer.figures()
        print(f"  {fuzzer.name}: {runs:,} of {fuzzer.runs:,} ({100 * runs // max(fuzzer.runs, 1)} %), "
              f"{speed:,} a second, corpus {corpus:,}", flush=True)


def run_all(fuzzers, jobs):
    """True unless interrupted; then what has run says how far it came."""
    waiting, running, said = list(fuzzers), [], time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.pop(0))
                running[-1].start()
            time.sleep(0.2)
            for fuzzer in [f for f in running if f.is_through()]:
                running.remove(fuzzer)
                print(f"  {fuzzer.name} has {'failed' if fuzzer.failed() else 'passed'}", flush=True)
            if running and time.monotonic() - said >= PROGRESS_S:
                say_progress(running)
                said = time.monotonic()
        return True
    except KeyboardInterrupt:
        for fuzzer in running:
            fuzzer.stop()
        for fuzzer in running:
            fuzzer.process.wait()
            fuzzer.is_through()
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build-dir", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=int, default=10_000_000, help="executions of each fuzzer")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="fuzzers at once")
    # Generous, because the machine may be busy.
    parser.add_argument("--timeout", type=int, default=20, metavar="S", help="for one input, by the wall clock")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    build = args.build_dir.resolve()
    known = sorted(p.name for p in (SEEDS / "corpus").iterdir())
    unknown = set(args.names) - set(known)
    if unknown:
        parser.error(f"no fuzzer {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    # Small files are written for every execution of some: in memory, where there is such a place.
    shared = pathlib.Path("/dev/shm")
    scratch = tempfile.mkdtemp(prefix="scm-fuzz-", dir=shared if os.access(shared, os.W_OK) else None)
    try:
        fuzzers = [Fuzzer(name, build, args.runs, args.timeout, scratch) for name in args.names or known]
        whole = run_all(fuzzers, max(args.jobs, 1))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    started = [f for f in fuzzers if f.process]
    for fuzzer in started:
        print(fuzzer.last_line(), flush=True)
        if fuzzer.failed():
            say_failure(fuzzer)
    sys.exit(130 if not whole else any(f.failed() for f in started))


main()
