"""Seeds of the built-in trainer in one process: the adapters of each are those that it has alone, also when
one of them is aborted and trainer, worker and coordinator are killed."""
import os
import pathlib
import random
import signal
import sys
import unittest

from mini_cluster import BIN, ROUNDS, SEED, MiniCluster, run_tests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "fakes"))
import tiny_model  # noqa: E402
from tiny_experiment import tiny_experiment  # noqa: E402

DIVERGING = HERE / "diverging_trainer.py"
SEEDS = (11, 12, 13)


class Cluster(MiniCluster):
    def up(self):
        self.scmctl("local", "up", "--workers", self.workers, "--allow-trainer", DIVERGING, check=True)


def experiment(name, model, packed, steps, trainer="[scm-trainer]"):
    return tiny_experiment(name, model, steps, steps // 4, seeds=SEEDS, learning_rate="1.0e-3", retries=50,
                           trainer=trainer, replicate=f", packed: {packed}")


@unittest.skipUnless((BIN / "scm-trainer").exists(), "built without libtorch")
class PackedSeeds(unittest.TestCase):
    def setUp(self):
        print(f"{self.id()}: seed {SEED}, {ROUNDS} rounds", flush=True)
        self.chance = random.Random(f"{SEED} {self.id()}")
        self.cluster = Cluster(workers=1)
        self.addCleanup(self.cluster.close)
        self.model = tiny_model.write(pathlib.Path(self.cluster.home, "model"), seed=5)

    def run_to_end(self, identifier):
        self.assertEqual(self.cluster.wait(identifier), 0,
                         f"{self.cluster.scmctl('status', identifier).stdout}\n"
                         f"{self.cluster.scmctl('events', identifier).stdout}\n{self.cluster.logs()}")
        return self.adapters(identifier)

    def adapters(self, identifier):
        """SHA-256 of the last checkpoint's files of every run that succeeded."""
        digests = {}
        for run in self.cluster.json("runs", identifier)["runs"]:
            if run["state"] == "SUCCEEDED":
                checkpoints = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
                digests[run["seed"]] = {f["path"]: f["sha256"] for f in checkpoints[-1]["files"]}
        return digests

    def states(self, identifier):
        return {run["seed"]: run["state"] for run in self.cluster.json("runs", identifier)["runs"]}

    def test_auto_packs_and_says_so(self):
        path = pathlib.Path(self.cluster.home, "auto.yaml")
        path.write_text(experiment("auto", self.model, "auto", 8))
        plan = self.cluster.json("plan", path)
        self.assertIn("the 3 seeds train in one process (replicate.packed: auto)", plan["packing"])
        self.assertIn("packing", self.cluster.scmctl("plan", path).stdout)
        packed = self.cluster.submit(experiment("auto", self.model, "auto", 8))
        adapters = self.run_to_end(packed)
        self.assertEqual(len(self.cluster.json("status", packed)["tasks"]), 1)
        alone = self.cluster.submit(experiment("alone", self.model, "false", 8))
        self.assertEqual(adapters, self.run_to_end(alone))
        self.assertEqual(len(self.cluster.json("status", alone)["tasks"]), 3)

    def test_an_aborted_seed_and_killed_processes_lose_nothing(self):
        steps = 2000
        # The same program, and no seed that diverges.
        calm = f"[python3, {DIVERGING}, none, '{BIN}']"
        expected = self.run_to_end(self.cluster.submit(experiment("calm", self.model, "true", steps, calm)))
        trainer = calm.replace("none", "'12'")
        for number in range(ROUNDS):
            pack = self.cluster.submit(experiment(f"chaos-{number}", self.model, "true", steps, trainer))
            for kind in ("trainer", "worker", "coordinator"):
                goal = self.cluster.steps(pack) + self.chance.randrange(5, 600)
                self.cluster.until(lambda: self.cluster.steps(pack) >= min(goal, 2 * steps),
                                   what=f"{goal} steps in all")
                self.kill(kind)
                self.cluster.up()
            adapters = self.run_to_end(pack)
            self.assertEqual(self.states(pack), {11: "SUCCEEDED", 12: "ABORTED", 13: "SUCCEEDED"})
            self.assertEqual({seed: adapters[seed] for seed in (11, 13)},
                             {seed: expected[seed] for seed in (11, 13)})

    def kill(self, kind):
        if kind == "trainer":
            found = self.cluster.processes(str(BIN / "scm-trainer"))
        else:
            pids = self.cluster.pids()
            found = [pids["coordinator"]] if kind == "coordinator" else list(pids["workers"].values())
        for pid in filter(None, found):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended by itself just now


if __name__ == "__main__":
    run_tests()
