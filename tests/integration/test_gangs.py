"""Gangs of the built-in trainer: a coordinator and two workers with one rank each. The result is that of one
process, and a rank that is killed or paused costs an attempt and nothing else."""
import os
import pathlib
import signal
import sys
import time
import unittest

from mini_cluster import BIN, ManualCluster, run_tests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "fakes"))
import tiny_model  # noqa: E402
from tiny_experiment import tiny_experiment  # noqa: E402

STEPS = 2000


def experiment(name, model, ranks):
    return tiny_experiment(name, model, STEPS, STEPS // 8, accumulation=2, extra=f"resources: {{ranks: {ranks}}}")


@unittest.skipUnless((BIN / "scm-trainer").exists(), "built without libtorch")
class Gangs(unittest.TestCase):
    def setUp(self):
        self.cluster = ManualCluster(workers=2)
        self.addCleanup(self.cluster.close)
        self.model = tiny_model.write(pathlib.Path(self.cluster.home, "model"), seed=5)

    def submit(self, name, ranks):
        return self.cluster.submit(experiment(name, self.model, ranks))

    def finish(self, identifier):
        self.assertEqual(self.cluster.wait(identifier), 0,
                         f"{self.cluster.scmctl('status', identifier).stdout}\n"
                         f"{self.cluster.scmctl('events', identifier).stdout}\n{self.cluster.logs()}")
        return identifier

    def losses(self, identifier):
        run = self.cluster.json("runs", identifier)["runs"][0]
        points = self.cluster.json("metrics", run["id"])["points"]
        return {p["step"]: p["value"] for p in points if p["name"] == "validation_loss"}

    def test_two_workers_give_what_one_process_gives_also_after_a_kill_and_a_pause(self):
        alone = self.losses(self.finish(self.submit("alone", 1)))
        gang = self.finish(self.submit("gang", 2))
        together = self.losses(gang)
        self.assertEqual(together.keys(), alone.keys())
        worst = max(abs(together[step] - loss) / loss for step, loss in alone.items())
        print(f"validations of 2 ranks beside one process: {worst:.2e} relative at most", flush=True)
        self.assertLess(worst, 1e-5)
        for name, sent in (("killed", signal.SIGKILL), ("paused", signal.SIGSTOP)):
            with self.subTest(name):
                disturbed = self.submit(name, 2)
                self.cluster.until(lambda: self.cluster.steps(disturbed) > STEPS // 4, what="some steps")
                ranks = self.cluster.processes(str(BIN / "scm-trainer"))
                self.assertEqual(len(ranks), 2)
                began = time.monotonic()
                os.kill(ranks[1], sent)
                self.cluster.until(lambda: not set(ranks) & set(self.cluster.processes(str(BIN / "scm-trainer"))),
                                   what="the end of both ranks")
                print(f"{name}: both ranks had ended after {time.monotonic() - began:.1f} s", flush=True)
                self.finish(disturbed)
                self.assertEqual(self.cluster.final_adapters(disturbed), self.cluster.final_adapters(gang))
                self.assertEqual(self.cluster.json("status", disturbed)["tasks"][0]["attempts"], 2)

    def test_what_cannot_be_a_gang_is_refused_at_submission(self):
        path = pathlib.Path(self.cluster.home, "refused.yaml")
        path.write_text(experiment("refused", self.model, 2).replace("{seeds: [11]}", "{seeds: [11], packed: true}"))
        done = self.cluster.scmctl("validate", path)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("choose one of the two", done.stdout + done.stderr)
        path.write_text(experiment("gpus", self.model, "2, gpus: 1"))
        self.assertEqual(self.cluster.scmctl("validate", path).returncode, 0)
        path.write_text(experiment("auto", self.model, 2).replace("[11]", "[11, 12], packed: auto"))
        self.assertIn("each run is trained by 2 processes (resources.ranks): nothing is packed",
                      self.cluster.json("plan", path)["packing"])


if __name__ == "__main__":
    run_tests()
