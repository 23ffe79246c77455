"""What a shell script meets: output that cannot be written, options left empty by an unset variable."""
import os
import pathlib
import subprocess
import unittest

from mini_cluster import BIN, MiniCluster, experiment


class Output(unittest.TestCase):
    def setUp(self):
        self.cluster = MiniCluster(workers=1)
        self.addCleanup(self.cluster.close)

    def into(self, target, *words):
        environment = dict(os.environ, SCM_HOME=self.cluster.home)
        environment.pop("SCM_COORDINATOR", None)
        with open(target, "w") as out:
            return subprocess.run([BIN / "scmctl", *map(str, words)], env=environment, stdout=out,
                                  stderr=subprocess.PIPE, text=True, timeout=120)

    def test_an_answer_that_cannot_be_written_is_no_success(self):
        path = pathlib.Path(self.cluster.home, "e.yaml")
        path.write_text(experiment(name="full", seeds=(11,), max_steps=10))
        identifier = self.cluster.submit(experiment(name="full", seeds=(11,), max_steps=10))
        self.assertEqual(self.cluster.wait(identifier), 0)
        for words in (["ls"], ["ls", "-o", "json"], ["workers", "ls"], ["status", identifier],
                      ["events", identifier], ["why", identifier], ["runs", identifier],
                      ["local", "status"], ["completion", "bash"], ["version"], ["plan", path],
                      ["validate", path, "-o", "json"], ["--help"]):
            full = self.into("/dev/full", *words)
            self.assertEqual(full.returncode, 1, words)
            self.assertIn("the output could not be written", full.stderr, words)
            self.assertEqual(self.into("/dev/null", *words).returncode, 0, words)

    def test_the_code_of_an_outcome_is_kept(self):
        identifier = self.cluster.submit(experiment(name="fails", seeds=(11,),
                                                    script="{curve: nan, nan_at_step: 12}"))
        code = self.cluster.wait(identifier)
        self.assertEqual(code, 4)
        self.assertEqual(self.into("/dev/full", "status", identifier).returncode, code)

    def test_an_empty_option_is_named(self):
        done = self.into("/dev/null", "status", "--coordinator=", "e-1")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--coordinator= is empty", done.stderr)

    def test_events_of_a_run_are_its_own(self):
        identifier = self.cluster.submit(experiment(name="two", seeds=(11, 12), max_steps=10))
        self.assertEqual(self.cluster.wait(identifier), 0)
        runs = self.cluster.json("runs", identifier)["runs"]
        for run in runs:
            events = self.cluster.json("events", run["id"])["events"]
            self.assertEqual({event["subject"] for event in events} - {run["task"]}, {run["id"]})
            self.assertIn("task_succeeded", [event["kind"] for event in events])
        everything = self.cluster.json("events", identifier)["events"]
        self.assertLessEqual({run["id"] for run in runs}, {e["subject"] for e in everything})
        of_worker = self.cluster.json("events", "w-1")["events"]
        self.assertEqual({event["subject"] for event in of_worker}, {"w-1"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
