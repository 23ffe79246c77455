"""How many trials a second pass through the cluster when a trial does nothing.

    python3 bench/noop_trials.py --bin-dir [NAME=]build/bin [--bin-dir [NAME=]OTHER/build/bin …]
                                 [--seeds 500] [--workers 2] [--slots 1] [--rounds 3] [-o json]

Real processes: a coordinator, workers with their CPU slots, and for every trial a shim and the compiled
noop_trainer.c, which reports one validation and `done`. All lie in a temporary directory that is removed
afterwards. The time is the coordinator's own, from the submission of the experiment to its end. Several
sets of programs take turns, one round each, so that a busy machine slows all alike; the last lines compare
the first set with each of the others, by the median of the rounds, and give the lowest and the highest.

CPU time is given by process and trial; that of shims and trainers is what their worker waited for.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

FILE = """
name: noop
stages: [replicate]
trainer: {{command: [{trainer}]}}
training: {{learning_rate: 1.0e-4, batch_size: 1, max_steps: 1, warmup_steps: 0, save_steps: 1, eval_steps: 1,
  early_stopping: none}}
replicate: {{seeds: [{seeds}]}}
abort: {{stalled: none}}
"""


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come about")
        time.sleep(0.02)
    return value


def cpu_seconds(process):
    """Of the process itself, and of the children that it has waited for."""
    fields = pathlib.Path("/proc", str(process.pid), "stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return [(int(fields[i]) + int(fields[i + 1])) / ticks for i in (11, 13)]


class Cluster:
    """A coordinator and its workers; every process is ended by `close`."""

    def __init__(self, programs, trainer, workers, slots):
        self.programs, self.home, self.processes = programs, tempfile.mkdtemp(prefix="scm-noop-"), []
        data = pathlib.Path(self.home, "coordinator")
        self.start("scm-coordinator", "--data-dir", data)
        until((data / "address.json").exists, "the coordinator's address")
        self.address = json.loads((data / "address.json").read_text())["coordinator"]
        for number in range(workers):
            self.start("scm-worker", "--coordinator", self.address, "--cpus", slots, "--allow-trainer", trainer,
                       "--work-dir", pathlib.Path(self.home, f"worker-{number}"))
        until(lambda: len(self.ask("workers", "ls").get("workers", [])) == workers, "the workers")

    def start(self, program, *flags):
        with open(pathlib.Path(self.home, program + ".log"), "a") as log:
            self.processes.append(subprocess.Popen([self.programs / program, *map(str, flags)], stdout=log,
                                                   stderr=log, start_new_session=True))

    def scmctl(self, *words):
        environment = dict(os.environ, SCM_COORDINATOR=self.address, SCM_HOME=self.home)
        return subprocess.run([self.programs / "scmctl", *words], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, *words):
        done = self.scmctl(*words, "-o", "json")
        return json.loads(done.stdout) if done.stdout else {}

    def run(self, trainer, seeds):
        """Trials a second, and CPU seconds of the coordinator, the workers, and what these ran."""
        path = pathlib.Path(self.home, "noop.yaml")
        path.write_text(FILE.format(trainer=trainer, seeds=", ".join(map(str, range(1, seeds + 1)))))
        before = [cpu_seconds(process) for process in self.processes]
        submitted = self.scmctl("submit", path, "-o", "json")
        if submitted.returncode != 0:
            raise SystemExit(submitted.stdout + submitted.stderr)
        experiment = json.loads(submitted.stdout)["experiment"]
        ended = self.scmctl("wait", experiment)
        if ended.returncode != 0:
            raise SystemExit(f"the experiment ended with {ended.returncode}: {ended.stderr}\nlook into {self.home}")
        after = [cpu_seconds(process) for process in self.processes]
        spent = [[b - a for a, b in zip(*both)] for both in zip(before, after)]
        events = self.ask("events", experiment)["events"]
        first, last = (datetime.datetime.fromisoformat(events[i]["at"].replace("Z", "+00:00")) for i in (0, -1))
        return {"trials_per_second": seeds / (last - first).total_seconds(),
                "coordinator_ms": 1000 * spent[0][0] / seeds,
                "workers_ms": 1000 * sum(own for own, _ in spent[1:]) / seeds,
                "attempts_ms": 1000 * sum(theirs for _, theirs in spent[1:]) / seeds}

    def close(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def one_round(programs, trainer, arguments):
    with contextlib.closing(Cluster(programs, trainer, arguments.workers, arguments.slots)) as cluster:
        return cluster.run(trainer, arguments.seeds)


def named(text):
    name, _, directory = text.rpartition("=")
    path = pathlib.Path(directory).resolve()
    return name or text, path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin-dir", action="append", required=True, metavar="[NAME=]DIR", type=named)
    parser.add_argument("--trainer", help="instead of the first DIR/noop-trainer")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=1, help="CPU slots a worker")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    trainer = pathlib.Path(arguments.trainer or arguments.bin_dir[0][1] / "noop-trainer").resolve()
    if not trainer.exists():
        raise SystemExit(f"{trainer} is not there: build it with -DSCM_BUILD_BENCH=ON, or name one with --trainer")

    rounds = {name: [] for name, _ in arguments.bin_dir}
    for number in range(1, arguments.rounds + 1):
        for name, programs in arguments.bin_dir:
            result = one_round(programs, trainer, arguments)
            rounds[name].append(result)
            print(f"round {number} {name}: {result['trials_per_second']:.1f} trials/s; CPU a trial: coordinator "
                  f"{result['coordinator_ms']:.1f} ms, workers {result['workers_ms']:.1f} ms, shims and trainers "
                  f"{result['attempts_ms']:.1f} ms", flush=True, file=sys.stderr if arguments.o == "json" else sys.stdout)
    speeds = {name: [r["trials_per_second"] for r in results] for name, results in rounds.items()}
    if arguments.o == "json":
        print(json.dumps({"rounds": rounds}, indent=1))
        return
    for name, values in speeds.items():
        print(f"{name}: {statistics.median(values):.1f} trials/s ({min(values):.1f}–{max(values):.1f})")
    first, *others = speeds
    for peer in others:
        ratios = sorted(a / b for a, b in zip(speeds[first], speeds[peer]))
        print(f"{first}: {statistics.median(ratios):.2f} x {peer} ({ratios[0]:.2f}–{ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
