"""Trials of a sweep that the built-in trainer trains in one process: the adapters of each are those that it has alone,
whatever is swept, and rungs end some of them while the others go on."""
import pathlib
import sys
import unittest

import test_packed_seeds as seeds
from mini_cluster import BIN, SEED, run_tests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))
import tiny_model  # noqa: E402

SPACE = "{training.learning_rate: {log_uniform: [1.0e-4, 1.0e-2]}, lora.r: {choice: [2, 4]}}"


def sweep(name, model, packed, search, steps=8):
    """The file of the packed seeds with a sweep in place of its seeds."""
    before, after = seeds.experiment(name, model, "false", steps).split("replicate:")
    text = before.replace("stages: [replicate]", "stages: [sweep]")
    return (f"{text}sweep: {{{search}, metric: validation_loss, mode: min, seed: 3, packed: {packed}, space: {SPACE}}}"
            + after[after.index("\n"):])


@unittest.skipUnless((BIN / "scm-trainer").exists(), "built without libtorch")
class PackedTrials(unittest.TestCase):
    def setUp(self):
        print(f"{self.id()}: seed {SEED}", flush=True)
        self.cluster = seeds.Cluster(workers=1)
        self.addCleanup(self.cluster.close)
        self.model = tiny_model.write(pathlib.Path(self.cluster.home, "model"), seed=5)

    def run_to_end(self, text):
        identifier = self.cluster.submit(text)
        self.assertEqual(self.cluster.wait(identifier), 0,
                         f"{self.cluster.scmctl('status', identifier).stdout}\n{self.cluster.logs()}")
        return identifier, self.cluster.json("runs", identifier)["runs"]

    def adapters(self, runs):
        """SHA-256 of the last checkpoint's files, by the trial's parameters."""
        digests = {}
        for run in runs:
            last = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"][-1]
            digests[str(sorted(run["parameters"].items()))] = (
                last["step"], {file["path"]: file["sha256"] for file in last["files"]})
        return digests

    def test_a_trial_in_a_pack_is_the_trial_alone(self):
        search = "search: random, max_trials: 5"
        packed, in_pack = self.run_to_end(sweep("packed", self.model, "true", search))
        alone, by_itself = self.run_to_end(sweep("alone", self.model, "false", search))
        self.assertEqual(len({run["task"] for run in by_itself}), 5)
        # Both ranks can share a process: what they have in common is the base.
        self.assertEqual(len({run["task"] for run in in_pack}), 1)
        digests = self.adapters(in_pack)
        self.assertEqual(len(digests), 5)
        self.assertEqual(digests, self.adapters(by_itself))

    def test_rungs_end_trials_of_a_pack_while_others_go_on(self):
        # Nobody waits at a rung: a trial that is told to stop is some steps beyond it by then.
        steps = 600
        _, runs = self.run_to_end(sweep("asha", self.model, "true",
                                        f"search: asha, max_trials: 6, rungs: [{steps // 4}, {steps}], eta: 3", steps))
        self.assertEqual(len({run["task"] for run in runs}), 1)
        print("steps reached:", sorted(run["step"] for run in runs))
        self.assertEqual({run["step"] == steps for run in runs}, {False, True})
        for run in runs:
            self.assertEqual(run["state"], "SUCCEEDED")
            print(run["step"], run["reason"])


if __name__ == "__main__":
    run_tests()
