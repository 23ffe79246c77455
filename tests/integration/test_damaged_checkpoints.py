"""Checkpoints whose bytes were damaged on the coordinator's disk: runs go on from older ones, to the same
result, and without spending a retry on it; `checkpoints verify` finds what nobody has read yet."""
import os
import pathlib
import shutil
import signal
import unittest

from mini_cluster import ManualCluster, experiment, run_tests

STEPS = 100


def damage(checkpoint):
    """Changes one byte of its largest file."""
    largest = max(checkpoint["files"], key=lambda one: one["bytes"])
    path = pathlib.Path(checkpoint["path"], largest["path"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return largest["path"]


class DamagedCheckpoints(unittest.TestCase):
    def setUp(self):
        self.cluster = ManualCluster(workers=1, coordinator_flags=("--lease-ttl-seconds", 12))
        self.addCleanup(self.cluster.close)

    def submit(self, name, script="{}", retries=0):
        return self.cluster.submit(
            experiment(name=name, seeds=(11,), script=script, max_steps=STEPS, retries=retries))

    def checkpoints(self, identifier):
        return self.cluster.json("checkpoints", "ls", identifier)["checkpoints"]

    def events(self, identifier, kind):
        return [event for event in self.cluster.json("events", identifier)["events"]
                if event["kind"] == kind]

    def test_a_run_goes_on_from_the_newest_intact_one(self):
        cluster = self.cluster
        calm = self.submit("calm")
        self.assertEqual(cluster.wait(calm), 0, cluster.logs())
        # The killed worker costs the only retry there is.
        identifier = self.submit("hit", script="{step_ms: 50}", retries=1)
        cluster.until(lambda: len(self.checkpoints(identifier)) >= 3, what="three checkpoints")
        for pid in cluster.processes("scm-worker") + cluster.processes("scm-attempt"):
            os.kill(pid, signal.SIGKILL)
        cluster.running[1].wait()
        # Its own copy of the latest checkpoint would be intact.
        shutil.rmtree(pathlib.Path(cluster.home, "workers"))
        stored = self.checkpoints(identifier)
        for checkpoint in stored[-2:]:
            damage(checkpoint)
        cluster.start_worker(1)
        self.assertEqual(cluster.wait(identifier), 0,
                         f"{cluster.scmctl('status', identifier).stdout}\n{cluster.logs()}")
        self.assertEqual([event["subject"] for event in self.events(identifier, "checkpoint_damaged")],
                         [stored[-1]["id"], stored[-2]["id"]])
        self.assertEqual(cluster.final_adapters(identifier), cluster.final_adapters(calm))
        # The run has passed these steps again: good files took the damaged ones' place.
        self.assertEqual({one["state"] for one in self.checkpoints(identifier)}, {"COMPLETE"})
        verified = cluster.scmctl("checkpoints", "verify", identifier)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def test_verify_finds_what_nobody_has_read(self):
        cluster = self.cluster
        identifier = self.submit("quiet")
        self.assertEqual(cluster.wait(identifier), 0, cluster.logs())
        run = cluster.json("runs", identifier)["runs"][0]["id"]
        self.assertEqual(cluster.json("checkpoints", "verify")["damaged"], 0)
        name = damage(self.checkpoints(identifier)[1])
        bad = self.checkpoints(identifier)[1]["id"]
        one = cluster.scmctl("checkpoints", "verify", f"{run}/20")
        self.assertEqual(one.returncode, 0, one.stderr)
        self.assertNotIn(bad, one.stdout)
        found = cluster.scmctl("checkpoints", "verify", run)
        self.assertEqual(found.returncode, 3, found.stdout + found.stderr)
        self.assertIn(name, found.stdout)
        self.assertIn("damaged", found.stdout)
        marked = self.checkpoints(identifier)[1]
        self.assertEqual(marked["state"], "DELETED")
        self.assertIn(name, marked["damage"])
        self.assertEqual([event["subject"] for event in self.events(identifier, "checkpoint_damaged")],
                         [bad])
        self.assertEqual(cluster.scmctl("checkpoints", "verify", identifier).returncode, 0)
        for words, code in ((("r-99",), 1), (("w-1",), 2)):
            refused = cluster.scmctl("checkpoints", "verify", *words)
            self.assertNotEqual(refused.returncode, 0, words)
            self.assertNotEqual(refused.returncode, 3, "damaged is something else")
            self.assertIn(words[0], refused.stderr)

    def test_a_reader_finds_it_too(self):
        cluster = self.cluster
        identifier = self.submit("read")
        self.assertEqual(cluster.wait(identifier), 0, cluster.logs())
        last = self.checkpoints(identifier)[-1]
        damage(last)
        done = cluster.scmctl("checkpoints", "download", last["id"], "--out",
                              pathlib.Path(cluster.home, "fetched"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("damaged", done.stderr)
        self.assertEqual(self.checkpoints(identifier)[-1]["state"], "DELETED")
        best = cluster.json("runs", identifier)["runs"][0]["best_step"]
        self.assertLess(best, last["step"])


if __name__ == "__main__":
    run_tests()
