"""A real coordinator and real workers in a temporary SCM_HOME, driven through scmctl as a user would."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

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

    def __init__(self, workers: int = 2):
        self.home = tempfile.mkdtemp(prefix="scm-test-")
        self.workers = workers
        self.up()

    def scmctl(self, *words, check=False, timeout=180):
        """Runs scmctl; returns the finished process with text output."""
        environment = dict(os.environ, SCM_HOME=self.home)
        environment.pop("SCM_COORDINATOR", None)
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

    def wait(self, experiment: str, timeout=180) -> int:
        """The exit code of `scmctl wait`, whatever it is."""
        return self.scmctl("wait", experiment, timeout=timeout).returncode

    def until(self, condition, seconds=60, what="condition"):
        """Polls a condition that another process must bring about."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come about\n{self.logs()}")

    def close(self):
        self.scmctl("local", "down")
        shutil.rmtree(self.home, ignore_errors=True)


def experiment(name="test", seeds=(11, 12, 13, 14, 15), script="{}", max_steps=60, extra="",
               stages="[replicate]", abort="{stalled: none}"):
    """An experiment file around the scripted trainer."""
    return f"""
name: {name}
stages: {stages}
trainer: {{command: [{FAKE}], parameters: {script}}}
training: {{learning_rate: 2.0e-4, batch_size: 8, max_steps: {max_steps}, warmup_steps: 0,
  save_steps: 20, eval_steps: 5, early_stopping: none}}
replicate: {{seeds: [{", ".join(map(str, seeds))}]}}
abort: {abort}
retries: {{max: 50}}
{extra}
"""
