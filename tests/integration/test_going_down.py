"""A worker that goes down: one signal to every process of it at once, as Slurm sends at its time limit, a
Ctrl-C in its terminal, and a scheduler that kills before the worker is done. No retry is spent, and the work
goes on elsewhere from a checkpoint."""
import os
import pathlib
import re
import signal
import unittest

from mini_cluster import FAKE, ManualCluster, run_tests

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "trainer-protocol.md"
SCRIPTS = ("plain.py", "parent.py", "wrapper.sh")
# The first attempt is slow, so that it is ended before it ends.
FILE = """
name: {name}
stages: [replicate]
trainer: {{command: {command}, parameters: {script}}}
training: {{learning_rate: 1.0e-4, batch_size: 8, max_steps: 1500, warmup_steps: 0, save_steps: 1000,
  eval_steps: 1000, early_stopping: none}}
replicate: {{seeds: [11]}}
abort: {{stalled: none, no_convergence: none}}
retries: {{max: 0}}
"""
# A child that the trainer started, and that must not be the first to die of what ends everything.
HELPER = """
import subprocess
helper = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
"""


def documented_trainer(child: bool) -> str:
    """The complete trainer of the document, slow in its first attempt."""
    text = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.S).group(1)
    slow = "    step += 1\n    time.sleep(0.02 if spec['attempt'] == 1 else 0)\n"
    if child:
        slow += "    assert helper.poll() is None\n"
    text = text.replace("import json, os", "import time, json, os").replace("    step += 1\n", slow)
    if not child:
        return text
    # Only with its end the pipe is closed, and the child ends.
    return text.replace("\nspec = ", HELPER + "\nspec = ", 1)


class WorkersWithScripts(ManualCluster):
    def __init__(self, worker_flags=(), **keys):
        self.worker_flags = worker_flags
        super().__init__(**keys)

    def start_worker(self, number):
        # Of scripts that a test will lay into the home.
        allowed = [FAKE, *(pathlib.Path(self.home, name) for name in SCRIPTS)]
        flags = [word for path in allowed for word in ("--allow-trainer", path)]
        self.start(number, "scm-worker", "--coordinator", self.address, "--work-dir",
                   self.directory(number), "--cpus", 1, *flags, *self.worker_flags)

    def directory(self, number):
        return pathlib.Path(self.home, "workers", str(number))

    def busy_worker(self):
        """The number of the worker that holds the only attempt."""
        for number in range(1, self.workers + 1):
            if list(self.directory(number).glob("attempts/*/pid.json")):
                return number
        return None

    def everything_of(self, number):
        """Worker, shim, trainer and its children: trainers first, so that they meet a signal first."""
        place = str(self.directory(number))
        found = []
        for pid in self.processes():
            command = pathlib.Path("/proc", str(pid), "cmdline").read_bytes().decode(errors="replace")
            if place in command or os.readlink(f"/proc/{pid}/cwd").startswith(place):
                found.append(pid)
        self_pid = self.running[number].pid
        return sorted(set(found) | {self_pid}, reverse=True)


class GoingDown(unittest.TestCase):
    def start(self, **keys):
        self.cluster = WorkersWithScripts(coordinator_flags=("--lease-ttl-seconds", 12), **keys)
        self.addCleanup(self.cluster.close)
        return self.cluster

    def script(self, name: str, text: str) -> str:
        path = pathlib.Path(self.cluster.home, name)
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def begin(self, name, command, script="{}"):
        """Submits a run and waits until it trains; its experiment and the worker's number."""
        cluster = self.cluster
        identifier = cluster.submit(FILE.format(name=name, command=command, script=script))
        number = cluster.until(cluster.busy_worker, what="an attempt")
        cluster.until(lambda: cluster.steps(identifier) >= 5, what="five steps")
        return identifier, number

    def expect_moved(self, identifier, saved=True):
        """It ended well in its second attempt, which began where the first had been stopped."""
        cluster = self.cluster
        self.assertEqual(cluster.wait(identifier), 0,
                         f"{cluster.scmctl('status', identifier).stdout}\n{cluster.logs()}")
        run = cluster.json("runs", identifier)["runs"][0]
        self.assertEqual(run["attempts"], 2)
        checkpoints = cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
        of_the_first = [one["step"] for one in checkpoints if one["attempt"] == 1]
        if saved:
            self.assertEqual(len(of_the_first), 1, checkpoints)
            self.assertNotEqual(of_the_first[0] % 1000, 0, "it was due anyway")

    def test_one_signal_to_every_process(self):
        for name in ("fake", *SCRIPTS):
            for number in (signal.SIGTERM, signal.SIGINT):
                with self.subTest(trainer=name, signal=number.name):
                    self.signal_everything(name, number)

    def signal_everything(self, name, number):
        cluster = self.start()
        plain = self.script("plain.py", documented_trainer(child=False))
        parent = self.script("parent.py", documented_trainer(child=True))
        wrapper = self.script("wrapper.sh", f"#!/bin/sh\npython3 {plain}\nexit $?\n")
        command = {"plain.py": f"[python3, {plain}]", "parent.py": f"[python3, {parent}]",
                   "wrapper.sh": f"[sh, {wrapper}]", "fake": f"[{FAKE}]"}[name]
        fake = "{step_ms: 10, fork_children: 2}" if name == "fake" else "{}"
        identifier, busy = self.begin("all-at-once", command, fake)
        for pid in cluster.everything_of(busy):
            os.kill(pid, number)
        self.assertEqual(cluster.running[busy].wait(timeout=120), 0)
        self.expect_moved(identifier)
        cluster.close()

    def test_ctrl_c_in_the_workers_terminal(self):
        cluster = self.start()
        identifier, busy = self.begin("ctrl-c", f"[{FAKE}]", "{step_ms: 10}")
        os.killpg(cluster.running[busy].pid, signal.SIGINT)
        self.assertEqual(cluster.running[busy].wait(timeout=120), 0)
        self.expect_moved(identifier)

    def test_a_scheduler_that_kills_before_the_worker_is_done(self):
        cluster = self.start()
        identifier, busy = self.begin("killed", f"[{FAKE}]",
                                      "{step_ms: 10, ignore_stop: true, fault_attempts: 1}")
        for pid in cluster.everything_of(busy):
            os.kill(pid, signal.SIGTERM)
        leaving = lambda: any(worker["state"] == "DRAINING"
                              for worker in cluster.json("workers", "ls")["workers"])
        cluster.until(leaving, what="the worker's word that it goes down")
        for pid in cluster.everything_of(busy):
            os.kill(pid, signal.SIGKILL)
        cluster.running[busy].wait()
        self.expect_moved(identifier, saved=False)

    def test_what_does_not_stop_is_ended_within_the_grace(self):
        cluster = self.start(worker_flags=("--shutdown-grace", 1))
        identifier, busy = self.begin("deaf", f"[{FAKE}]",
                                      "{step_ms: 10, ignore_stop: true, fault_attempts: 1}")
        cluster.running[busy].terminate()
        self.assertEqual(cluster.running[busy].wait(timeout=120), 0)
        self.expect_moved(identifier, saved=False)


if __name__ == "__main__":
    run_tests()
