"""The chain with real processes and a scripted trainer: outcomes, exit codes, JSON shapes, aborts."""
import hashlib
import json
import pathlib
import unittest

from mini_cluster import MiniCluster, experiment


class Chain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = MiniCluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def run_experiment(self, **keys):
        identifier = self.cluster.submit(experiment(**keys))
        code = self.cluster.wait(identifier)
        return identifier, code, self.cluster.json("status", identifier)

    def test_five_seeds_succeed_and_every_checkpoint_is_whole(self):
        identifier, code, status = self.run_experiment(name="five")
        self.assertEqual(code, 0, self.cluster.logs())
        self.assertEqual(status["experiment"]["state"], "SUCCEEDED")
        self.assertEqual([run["seed"] for run in status["runs"]], [11, 12, 13, 14, 15])
        for run in status["runs"]:
            self.assertEqual(run["state"], "SUCCEEDED")
            checkpoints = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
            self.assertEqual([c["step"] for c in checkpoints], [20, 40, 60])
            for checkpoint in checkpoints:
                self.check_files(checkpoint)
            points = self.cluster.json("metrics", run["id"])["points"]
            losses = [p["step"] for p in points if p["name"] == "validation_loss"]
            self.assertEqual(losses, list(range(0, 61, 5)))

    def check_files(self, checkpoint):
        self.assertEqual(checkpoint["state"], "COMPLETE")
        directory = pathlib.Path(checkpoint["path"])
        manifest = (directory / "manifest.json").read_bytes()
        self.assertEqual(hashlib.sha256(manifest).hexdigest(), checkpoint["sha256"])
        for file in checkpoint["files"]:
            content = (directory / file["path"]).read_bytes()
            self.assertEqual(len(content), file["bytes"])
            self.assertEqual(hashlib.sha256(content).hexdigest(), file["sha256"])

    def abort_of(self, rule, **keys):
        identifier, code, status = self.run_experiment(seeds=(11,), **keys)
        self.assertEqual(code, 4, json.dumps(status, indent=1) + self.cluster.logs())
        run = status["runs"][0]
        self.assertEqual((run["state"], run["rule"]), ("ABORTED", rule))
        reason = self.cluster.json("why", run["id"])["reasons"][0]
        self.assertEqual(reason["certificate"]["rule"], rule)
        return run, reason["certificate"]

    def test_inverted_labels_are_aborted_by_below_random(self):
        self.abort_of("below_random", name="inverted", script="{curve: inverted, step_ms: 20}",
                      max_steps=200,
                      abort="{below_random: {after_step: 20, false_abort: 0.001}}")

    def test_a_nan_is_aborted_by_non_finite(self):
        self.abort_of("non_finite", name="nan", script="{curve: nan, nan_at_step: 12}")

    def test_a_flat_loss_is_aborted_by_no_convergence_and_recomputed(self):
        run, certificate = self.abort_of(
            "no_convergence", name="flat", script="{curve: flat, step_ms: 20}", max_steps=200,
            abort="{no_convergence: {after_step: 50, min_loss_reduction: 0.05}, below_random: none}")
        self.assertLess(run["step"], 200)
        verified = self.cluster.scmctl("why", certificate["id"], "--verify")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_a_slow_learner_goes_on(self):
        _, code, status = self.run_experiment(
            name="slow", seeds=(11,), script="{curve: slow}", max_steps=200,
            abort="{no_convergence: {after_step: 50, min_loss_reduction: 0.05}, below_random: none}")
        self.assertEqual(code, 0, json.dumps(status, indent=1))

    def test_one_bad_input_fails_without_retry_and_the_others_go_on(self):
        identifier, code, status = self.run_experiment(
            name="bad", seeds=(11,), script="{exit_at_step: 3, fail_kind: bad_input}")
        self.assertEqual(code, 3)
        self.assertEqual(status["runs"][0]["attempts"], 1)

    def test_pause_resume_cancel(self):
        identifier = self.cluster.submit(
            experiment(name="pause", seeds=(11, 12), script="{step_ms: 50}", max_steps=400))
        state = lambda: self.cluster.json("status", identifier)["experiment"]["state"]
        step = lambda: max(r["step"] for r in self.cluster.json("runs", identifier)["runs"])
        self.cluster.until(lambda: step() > 5, what="a few steps")
        self.cluster.scmctl("pause", "pause", check=True)
        self.cluster.until(lambda: state() == "PAUSED", what="PAUSED")
        self.cluster.scmctl("resume", identifier, check=True)
        before = step()
        self.cluster.until(lambda: step() > before + 5, what="steps after resuming")
        self.cluster.scmctl("cancel", identifier, check=True)
        self.assertEqual(self.cluster.wait(identifier), 8)

    def test_the_same_request_id_makes_one_experiment(self):
        path = pathlib.Path(self.cluster.home, "twice.yaml")
        path.write_text(experiment(name="twice", seeds=(11,), max_steps=20))
        first, second = (json.loads(self.cluster.scmctl("submit", path, "--request-id", "abc", "-o",
                                                        "json", check=True).stdout) for _ in (1, 2))
        self.assertEqual(first, second)

    def test_a_bad_file_is_refused_with_every_error_and_exit_2(self):
        path = pathlib.Path(self.cluster.home, "bad.yaml")
        path.write_text(experiment().replace("learning_rate", "learning_rte")
                        .replace("warmup_steps: 0", "warmup_steps: 900"))
        before = len(self.cluster.json("ls")["experiments"])
        done = self.cluster.scmctl("submit", path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("learning_rate", done.stderr)
        self.assertIn("warmup_steps", done.stderr)
        self.assertEqual(len(self.cluster.json("ls")["experiments"]), before)

    def test_the_sweep_picks_the_better_trial_and_the_report_is_made(self):
        identifier, code, status = self.run_experiment(
            name="sweep", seeds=(11, 12), stages="[sweep, replicate, report]",
            extra="sweep: {search: grid, max_trials: 2, seed: 1,"
                  " space: {training.learning_rate: {choice: [2.0e-4, 1.0e-1]}}}")
        self.assertEqual(code, 0, json.dumps(status, indent=1) + self.cluster.logs())
        replicates = [r for r in status["runs"] if r["stage"] == "replicate"]
        self.assertEqual(replicates[0]["parameters"], {"training.learning_rate": 2.0e-4})
        out = pathlib.Path(self.cluster.home, "report")
        self.cluster.scmctl("report", identifier, "--out", out, check=True)
        self.assertIn("2 of 2 seeds", (out / "report.md").read_text())
        self.assertTrue((out / "adapters" / "seed-11").is_dir())

    def test_lost_contact_is_exit_6(self):
        done = self.cluster.scmctl("status", "x", "--coordinator", "127.0.0.1:9")
        self.assertEqual(done.returncode, 6)
        self.assertIn("local up", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
