"""Packs: all seeds of `replicate`, or trials of a sweep, trained by one process, as one task. One run is aborted or
stopped at a rung, a program and a worker are killed, and the others come to the result that each has alone."""
import math
import os
import signal
import unittest

from mini_cluster import FAKE, ManualCluster, experiment, run_tests

STEPS = 60
SEEDS = (11, 12, 13)
RATES = (1e-2, 2e-4, 1e-3)  # of which the second learns best


class Packs(unittest.TestCase):
    def setUp(self):
        self.cluster = ManualCluster(workers=2)
        self.addCleanup(self.cluster.close)

    def submit(self, packed, script="{}", seeds=SEEDS, name="packs"):
        text = experiment(name=name, seeds=seeds, script=script, max_steps=STEPS, retries=10)
        if packed:
            text = text.replace("]}\nabort", "], packed: true}\nabort")
        return self.cluster.submit(text)

    def wait(self, identifier):
        code = self.cluster.wait(identifier)
        self.assertEqual(code, 0, f"{self.cluster.scmctl('status', identifier).stdout}\n"
                                  f"{self.cluster.scmctl('events', identifier).stdout}\n"
                                  f"{self.cluster.logs()}")

    def task(self, identifier):
        tasks = self.cluster.json("status", identifier)["tasks"]
        self.assertEqual(len(tasks), 1)
        return tasks[0]

    def states(self, identifier):
        return {run["seed"]: run["state"] for run in self.cluster.json("runs", identifier)["runs"]}

    def adapters(self, identifier, seeds=SEEDS):
        found = {}
        for run in self.cluster.json("runs", identifier)["runs"]:
            if run["seed"] in seeds:
                checkpoints = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
                self.assertEqual([c["step"] for c in checkpoints], [20, 40, 60])
                found[run["seed"]] = {f["path"]: f["sha256"] for f in checkpoints[-1]["files"]}
        return found

    def test_a_pack_gives_what_its_runs_give_alone(self):
        alone, pack = self.submit(packed=False), self.submit(packed=True)
        self.wait(alone)
        self.wait(pack)
        task = self.task(pack)
        self.assertEqual((task["attempts"], task["run"], len(task["runs"])), (1, None, 3))
        self.assertEqual(self.adapters(pack), self.adapters(alone))
        self.cluster.check_rows(self, pack, STEPS)

    def test_a_run_is_aborted_a_worker_is_killed_and_the_others_lose_nothing(self):
        alone = self.submit(packed=False)
        self.wait(alone)
        script = "{step_ms: 60, curve: nan, nan_at_step: 8, reports_diverged: false, only_seed: 12}"
        pack = self.submit(packed=True, script=script)
        self.cluster.until(lambda: self.states(pack)[12] == "ABORTED", what="the abort of seed 12")
        self.assertEqual({self.states(pack)[seed] for seed in (11, 13)}, {"RUNNING"})
        self.cluster.until(lambda: self.cluster.json("checkpoints", "ls", pack)["checkpoints"],
                           what="a checkpoint")
        # The daemon goes, its trainer goes on, and a new daemon finds it.
        number = next(n for n in (1, 2) if self.holds(n))
        self.cluster.running[number].kill()
        self.cluster.running[number].wait()
        self.cluster.start_worker(number)
        # Then the trainer goes.
        self.cluster.until(lambda: self.trainers(), what="the trainer")
        os.kill(self.trainers()[0], signal.SIGKILL)
        self.wait(pack)
        self.assertEqual(self.states(pack), {11: "SUCCEEDED", 12: "ABORTED", 13: "SUCCEEDED"})
        self.assertGreaterEqual(self.task(pack)["attempts"], 2)
        self.assertEqual(self.adapters(pack, (11, 13)), self.adapters(alone, (11, 13)))
        why = self.cluster.json("why", next(run["id"] for run in self.cluster.json("runs", pack)["runs"]
                                            if run["seed"] == 12))
        self.assertEqual(why["reasons"][0]["rule"], "non_finite")

    def sweep(self, search, packing, script="{}"):
        rates = ", ".join(map(str, RATES))
        text = experiment(name="trials", script=script, max_steps=STEPS, retries=10, stages="[sweep]", extra=(
            f"sweep: {{search: {search}, max_trials: 3, eta: 2, seed: 1, {packing}"
            f"space: {{training.learning_rate: {{choice: [{rates}]}}}}}}\n"))
        return self.cluster.submit(text)

    def trials(self, identifier):
        """State, step and the last checkpoint's digests of each trial, by its learning rate."""
        found = {}
        for run in self.cluster.json("runs", identifier)["runs"]:
            checkpoints = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
            digests = {f["path"]: f["sha256"] for f in checkpoints[-1]["files"]} if checkpoints else {}
            found[run["parameters"]["training.learning_rate"]] = (run["state"], run["step"], digests)
        return found

    def gate(self, identifier):
        stages = self.cluster.json("status", identifier)["stages"]
        return next(stage["reason"] for stage in stages if stage["name"] == "sweep")

    def test_trials_of_a_pack_give_what_they_give_alone(self):
        alone, pack = self.sweep("grid", ""), self.sweep("grid", "packed: true, ")
        self.wait(alone)
        self.wait(pack)
        task = self.task(pack)
        self.assertEqual((task["attempts"], task["run"], len(task["runs"])), (1, None, 3))
        self.assertEqual(self.trials(pack), self.trials(alone))
        # The ids of the trials differ; why one of them wins does not.
        self.assertEqual(self.gate(pack).split(" ", 1)[1], self.gate(alone).split(" ", 1)[1])
        self.assertIn("training.learning_rate = 0.0002", self.gate(pack))
        self.cluster.check_rows(self, pack, STEPS)

    def test_a_trial_is_stopped_at_a_rung_the_trainer_is_killed_and_the_others_go_on(self):
        alone = self.sweep("grid", "")
        self.wait(alone)
        pack = self.sweep("asha", "rungs: [10, 60], packed: true, ", script="{step_ms: 120}")
        # They come to the rung in the order in which they were made; of two or three one goes on.
        goes_on, best = [], math.inf
        for rate in self.trials(pack):
            distance = abs(math.log10(rate / 2e-4))
            if distance < best:
                goes_on, best = goes_on + [rate], distance
        stopped = [rate for rate in RATES if rate not in goes_on]
        self.assertNotEqual(stopped, [])
        self.cluster.until(lambda: {self.trials(pack)[rate][0] for rate in stopped} == {"SUCCEEDED"},
                           what="the stops at the rung")
        self.assertEqual({self.trials(pack)[rate][0] for rate in goes_on}, {"RUNNING"})
        self.cluster.until(lambda: self.trials(pack)[2e-4][2], what="a checkpoint")
        os.kill(self.trainers()[0], signal.SIGKILL)
        self.wait(pack)
        trials = self.trials(pack)
        for rate in goes_on:
            self.assertEqual(trials[rate], self.trials(alone)[rate])
        for rate in stopped:
            state, step, _ = trials[rate]
            self.assertEqual(state, "SUCCEEDED")
            self.assertLess(step, STEPS)
        self.assertEqual(self.task(pack)["attempts"], 2)
        self.assertIn("training.learning_rate = 0.0002", self.gate(pack))

    def test_a_failure_of_one_run_is_its_own(self):
        script = "{exit_at_step: 10, fail_kind: out_of_memory, only_seed: 13}"
        pack = self.submit(packed=True, script=script)
        self.wait(pack)
        self.assertEqual(self.states(pack), {11: "SUCCEEDED", 12: "SUCCEEDED", 13: "FAILED"})
        self.assertEqual(self.task(pack)["attempts"], 1)

    def holds(self, number):
        return any(f"/workers/{number}/" in os.readlink(f"/proc/{pid}/cwd")
                   for pid in self.trainers())

    def trainers(self):
        return self.cluster.processes(FAKE.name)


if __name__ == "__main__":
    run_tests()
