"""A real coordinator and real workers in a temporary SCM_HOME, driven through scmctl as a user would."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--bin-dir", default="build/bin")
parser.add_argument("--rounds", type=int, default=2, help="kills per kind of process")
parser.add_argument("--seed", type=int, default=1)
arguments, rest = parser.parse_known_args()
BIN = pathlib.Path(arguments.bin_dir).resolve()
ROUNDS, SEED = arguments.rounds, arguments.seed
sys.argv[1:] = rest

FAKE = BIN / "scm-fake-trainer"


class MiniCluster:
    """Owned by one test; `close` stops every process and removes the directory."""

    address = ""  # of a coordinator that `local up` did not start

    def __init__(self, workers: int = 2, home: str = ""):
        self.home = home or tempfile.mkdtemp(prefix="scm-test-")
        self.workers = workers
        self.up()

    def scmctl(self, *words, check=False, timeout=300):
        """Runs scmctl; returns the finished process with text output."""
        environment = dict(os.environ, SCM_HOME=self.home)
        environment.pop("SCM_COORDINATOR", None)
        if self.address:
            environment["SCM_COORDINATOR"] = self.address
        done = subprocess.run([BIN / "scmctl", *map(str, words)], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"scmctl {words}: {done.returncode}\n{done.stdout}\n{done.stderr}\n"
                                 f"{self.logs()}")
        return done

    def json(self, *words):
        done = self.scmctl(*words, "-o", "json")
        return json.loads(done.stdout)

    def up(self):
        self.scmctl("local", "up", "--workers", self.workers, "--allow-trainer", FAKE, check=True)

    def pids(self):
        return self.json("local", "status")["pids"]

    def logs(self):
        texts = []
        for log in sorted(pathlib.Path(self.home, "logs").glob("*.log")):
            texts.append(f"== {log.name}\n{log.read_text()[-3000:]}")
        return "\n".join(texts)

    def submit(self, text: str) -> str:
        path = pathlib.Path(self.home, "experiment.yaml")
        path.write_text(text)
        done = self.scmctl("submit", path, "-o", "json", check=True)
        return json.loads(done.stdout)["experiment"]

    def wait(self, experiment: str, timeout=300) -> int:
        """The exit code of `scmctl wait`, whatever it is."""
        return self.scmctl("wait", experiment, timeout=timeout).returncode

    def until(self, condition, seconds=120, what="condition"):
        """Polls a condition that another process must bring about."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come about\n{self.logs()}")

    def steps(self, experiment: str) -> int:
        """Steps reported so far, over all runs."""
        return sum(run["step"] for run in self.json("runs", experiment)["runs"])

    def final_adapters(self, experiment: str):
        """SHA-256 of the last checkpoint's files, by seed and name."""
        digests = {}
        for run in self.json("runs", experiment)["runs"]:
            checkpoints = self.json("checkpoints", "ls", run["id"])["checkpoints"]
            digests[run["seed"]] = {f["path"]: f["sha256"] for f in checkpoints[-1]["files"]}
        return digests

    def check_rows(self, test, experiment: str, max_steps: int, eval_steps: int = 5):
        """Every row that an undisturbed run has is there, once, whoever was killed meanwhile."""
        for run in self.json("runs", experiment)["runs"]:
            steps = {}
            for point in self.json("metrics", run["id"])["points"]:
                steps.setdefault(point["name"], []).append(point["step"])
            for name in ("train_loss", "grad_norm", "learning_rate", "tokens"):
                test.assertEqual(steps[name], list(range(1, max_steps + 1)), (run["id"], name))
            for name in ("validation_loss", "validation_accuracy"):
                test.assertEqual(steps[name], list(range(0, max_steps + 1, eval_steps)),
                                 (run["id"], name))

    def processes(self, program: str = ""):
        """Pids of living processes whose command or working directory lies in this home, of
        `program` only if one is named. Taken from /proc: nothing scm believes about itself."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                process = pathlib.Path("/proc", entry)
                command = process.joinpath("cmdline").read_bytes().decode(errors="replace")
                directory = os.readlink(process / "cwd")
            except OSError:
                continue  # gone, or a zombie
            ours = self.home in command or directory.startswith(self.home)
            if ours and program in command.split("\0")[0]:
                found.append(int(entry))
        return found

    def close(self):
        self.scmctl("local", "down")
        shutil.rmtree(self.home, ignore_errors=True)


class ManualCluster(MiniCluster):
    """The same from the programs themselves, for settings that `local up` does not offer."""

    environment = None  # of the programs; None = this process's

    def __init__(self, workers: int = 2, coordinator_flags=()):
        self.running = {}  # "coordinator", 1, 2 … -> Popen
        self.coordinator_flags = coordinator_flags
        super().__init__(workers)

    def start(self, name, program, *flags):
        pathlib.Path(self.home, "logs").mkdir(exist_ok=True)
        with open(pathlib.Path(self.home, "logs", f"{name}.log"), "a") as log:
            self.running[name] = subprocess.Popen([BIN / program, *map(str, flags)], stdout=log,
                                                  stderr=log, start_new_session=True,
                                                  env=self.environment)

    def up(self):
        data = pathlib.Path(self.home, "coordinator")
        self.start("coordinator", "scm-coordinator", "--data-dir", data, *self.coordinator_flags)
        self.until((data / "address.json").exists, what="the coordinator's address")
        self.address = json.loads((data / "address.json").read_text())["coordinator"]
        for number in range(1, self.workers + 1):
            self.start_worker(number)

    def start_worker(self, number):
        self.start(number, "scm-worker", "--coordinator", self.address, "--work-dir",
                   pathlib.Path(self.home, "workers", str(number)), "--cpus", 1,
                   "--allow-trainer", FAKE)

    def close(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in self.running.values():
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


class ToldAtOnce(unittest.TextTestResult):
    """Prints what failed when it fails, so that a test which hangs later hides nothing."""

    def addError(self, test, error):
        super().addError(test, error)
        print(self.errors[-1][1], flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        print(self.failures[-1][1], flush=True)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            print(subtest, (self.failures + self.errors)[-1][1], flush=True)


def run_tests(**keys):
    return unittest.main(testRunner=unittest.TextTestRunner(verbosity=2, resultclass=ToldAtOnce),
                         **keys)


def experiment(name="test", seeds=(11, 12, 13, 14, 15), script="{}", max_steps=60, extra="",
               stages="[replicate]", abort="{stalled: none}", retries=50):
    """An experiment file around the scripted trainer."""
    return f"""
name: {name}
stages: {stages}
trainer: {{command: [{FAKE}], parameters: {script}}}
training: {{learning_rate: 2.0e-4, batch_size: 8, max_steps: {max_steps}, warmup_steps: 0,
  save_steps: 20, eval_steps: 5, early_stopping: none}}
replicate: {{seeds: [{", ".join(map(str, seeds))}]}}
abort: {abort}
retries: {{max: {retries}}}
{extra}
"""
