"""Faults of processes: whatever is killed, stopped or taken down, the final adapters equal the undisturbed
ones byte for byte, and no accepted metric row is lost or doubled."""
import os
import random
import signal
import time
import unittest

from mini_cluster import ROUNDS, SEED, ManualCluster, MiniCluster, experiment, run_tests

STEPS = 100
SCRIPT = "{step_ms: 30}"


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = MiniCluster()
        cls.addClassCleanup(cls.cluster.close)
        calm = cls.cluster.submit(experiment(name="calm", script=SCRIPT, max_steps=STEPS))
        assert cls.cluster.wait(calm) == 0, cls.cluster.logs()
        cls.undisturbed = cls.cluster.final_adapters(calm)

    def setUp(self):
        print(f"{self.id()}: seed {SEED}, {ROUNDS} rounds", flush=True)
        self.chance = random.Random(f"{SEED} {self.id()}")

    def begin(self, name, cluster=None, **keys):
        """A five-seed experiment, at a random moment of its life."""
        cluster = cluster or self.cluster
        identifier = cluster.submit(
            experiment(name=name, script=SCRIPT, max_steps=STEPS, **keys))
        goal = self.chance.randrange(5, 300)
        cluster.until(lambda: cluster.steps(identifier) >= goal, what=f"{goal} steps in all")
        return identifier

    def finish(self, identifier, cluster=None):
        cluster = cluster or self.cluster
        self.assertEqual(cluster.wait(identifier), 0,
                         f"{cluster.scmctl('status', identifier).stdout}\n{cluster.logs()}")
        self.assertEqual(cluster.final_adapters(identifier), self.undisturbed)
        cluster.check_rows(self, identifier, STEPS)

    def pick(self, kind):
        """Some process of that kind, or None in a moment without one."""
        if kind in ("coordinator", "worker"):
            pids = self.cluster.pids()
            found = [pids["coordinator"]] if kind == "coordinator" else pids["workers"].values()
        else:
            found = self.cluster.processes("scm-attempt" if kind == "shim" else "scm-fake-trainer")
        found = sorted(pid for pid in found if pid)
        return self.chance.choice(found) if found else None

    def kill(self, kind, group=False):
        pid = self.pick(kind)
        if pid is None:
            return
        try:
            if group:
                os.killpg(os.getpgid(pid), signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself just now

    def rounds(self):
        """The numbers of the rounds; says how far it is, and how long the rest may take."""
        began = time.monotonic()
        for number in range(ROUNDS):
            left = (time.monotonic() - began) / max(number, 1) * (ROUNDS - number)
            print(f"round {number + 1} of {ROUNDS}" + (f", {left:.0f} s left" if number else ""), flush=True)
            yield number

    def test_killed_processes_change_nothing(self):
        for number in self.rounds():
            for kind in ("trainer", "shim", "worker", "coordinator"):
                with self.subTest(kind=kind, round=number):
                    identifier = self.begin(f"{kind}-{number}")
                    self.kill(kind)
                    self.cluster.up()
                    self.finish(identifier)

    def test_killed_process_groups_change_nothing(self):
        for number in self.rounds():
            for kinds in (("trainer",), ("shim", "worker"),
                          ("worker", "worker", "coordinator", "trainer", "shim")):
                with self.subTest(kinds=kinds, round=number):
                    identifier = self.begin(f"group-{len(kinds)}-{number}")
                    for kind in kinds:
                        self.kill(kind, group=True)
                    self.cluster.up()
                    self.finish(identifier)

    def test_a_restarted_worker_finds_its_trainers_alive(self):
        identifier = self.begin("reattach")
        trainers = self.cluster.until(lambda: self.cluster.processes("scm-fake-trainer"), what="trainers")
        before = {run["seed"]: run["attempts"]
                  for run in self.cluster.json("runs", identifier)["runs"] if run["step"] > 0}
        for pid in self.cluster.pids()["workers"].values():
            os.kill(pid, signal.SIGKILL)
        self.assertTrue(set(self.cluster.processes("scm-fake-trainer")) & set(trainers))
        self.cluster.up()
        self.finish(identifier)
        after = {run["seed"]: run["attempts"]
                 for run in self.cluster.json("runs", identifier)["runs"]}
        self.assertEqual(before, {seed: after[seed] for seed in before}, "an attempt was repeated")

    def test_local_down_leaves_no_process_and_loses_nothing(self):
        identifier = self.begin("down", retries=0)
        self.cluster.scmctl("local", "down", check=True)
        self.assertEqual(self.cluster.processes(), [])
        self.cluster.up()
        # With no retries to spend, a single one that was spent would fail the run.
        self.finish(identifier)

    def test_local_down_takes_orphans_too(self):
        identifier = self.begin("orphans")
        for pid in self.cluster.pids()["workers"].values():
            os.kill(pid, signal.SIGKILL)
        self.assertNotEqual(self.cluster.processes("scm-attempt"), [])
        self.cluster.scmctl("local", "down", check=True)
        self.assertEqual(self.cluster.processes(), [])
        self.cluster.up()
        self.finish(identifier)

    def test_a_worker_that_stood_still_past_its_lease_gives_up_its_attempts(self):
        cluster = ManualCluster(coordinator_flags=("--lease-ttl-seconds", 3))
        self.addCleanup(cluster.close)
        identifier = cluster.submit(experiment(name="still", script=SCRIPT, max_steps=STEPS))
        cluster.until(lambda: len(cluster.processes("scm-fake-trainer")) == 2, what="two trainers")
        stopped = cluster.running[1].pid
        os.kill(stopped, signal.SIGSTOP)
        state = lambda: sorted(w["state"] for w in cluster.json("workers", "ls")["workers"])
        cluster.until(lambda: "LOST" in state(), what="the loss of the stopped worker")
        # A lease that was granted after the worker's last word ends later than the worker.
        said = lambda: [event["text"] for event in cluster.json("events", identifier)["events"]]
        cluster.until(lambda: any("no word from" in text for text in said()), what="the loss of its lease")
        # Its trainer, which nobody stopped, works for nobody from now on.
        os.kill(stopped, signal.SIGCONT)
        cluster.until(lambda: state() == ["READY", "READY"], what="the worker's return")
        self.finish(identifier, cluster)
        attempts = [run["attempts"] for run in cluster.json("runs", identifier)["runs"]]
        self.assertGreater(max(attempts), 1, "no lease was lost: nothing was tested")
        cluster.until(lambda: not cluster.processes("scm-attempt"), what="the end of every shim")


if __name__ == "__main__":
    run_tests()
