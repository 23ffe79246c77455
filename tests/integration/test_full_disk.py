"""A full disk under coordinator and workers: refused and reported, nothing crashes, and with room again
the experiment goes on to the same result. Needs to mount a tmpfs: as root, or in a user namespace."""
import errno
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

from mini_cluster import MiniCluster, experiment, run_tests

SKIPPED = 77  # ctest shows it as skipped
STEPS = 100
SCRIPT = "{step_ms: 30}"


def mount(directory) -> bool:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", directory],
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def fill(path: pathlib.Path):
    """Takes every last byte."""
    size = 1 << 20
    with open(path, "ab", buffering=0) as file:
        while size >= 1:
            try:
                file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def http_status(url: str) -> int:
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


class FullDisk(unittest.TestCase):
    def start(self, full: str):
        """A cluster whose directory `full` is a small disk of its own."""
        home = tempfile.mkdtemp(prefix="scm-test-")
        disk = pathlib.Path(home, full)
        disk.mkdir()
        self.assertTrue(mount(disk), "cannot mount a second tmpfs")
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=False)
        self.cluster = MiniCluster(home=home)
        self.addCleanup(self.cluster.close)
        self.ballast = disk / "ballast"
        self.addCleanup(self.ballast.unlink, missing_ok=True)
        metrics = self.cluster.json("local", "status")["metrics_url"]
        self.ready, self.healthy = (metrics.replace("/metrics", f"/{name}z")
                                    for name in ("ready", "health"))
        calm = self.submit("calm")
        self.assertEqual(self.cluster.wait(calm), 0, self.cluster.logs())
        self.undisturbed = self.cluster.final_adapters(calm)

    def submit(self, name, **keys):
        # The usual five retries: a full disk must not use them up.
        return self.cluster.submit(
            experiment(name=name, script=SCRIPT, max_steps=STEPS, retries=5, **keys))

    def finish(self, identifier):
        cluster = self.cluster
        self.assertEqual(cluster.wait(identifier), 0,
                         f"{cluster.scmctl('status', identifier).stdout}\n{cluster.logs()}")
        self.assertEqual(cluster.final_adapters(identifier), self.undisturbed)
        cluster.check_rows(self, identifier, STEPS)

    def test_the_coordinator_says_no_and_goes_on_when_there_is_room(self):
        self.start("coordinator")
        cluster = self.cluster
        identifier = self.submit("full")
        another = pathlib.Path(cluster.home, "another.yaml")
        another.write_text(experiment(name="another", seeds=(11,)))
        cluster.until(lambda: cluster.steps(identifier) >= 60, what="60 steps in all")
        pids = cluster.pids()
        self.assertEqual(http_status(self.ready), 200)
        fill(self.ballast)
        cluster.until(lambda: http_status(self.ready) == 503, what="/readyz 503")
        self.assertEqual(http_status(self.healthy), 200)
        refused = cluster.scmctl("submit", another)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("disk is full", refused.stderr)
        self.assertEqual(len(cluster.json("ls")["experiments"]), 2, "reading still works")
        self.assertEqual(http_status(self.ready), 503)
        self.ballast.unlink()
        cluster.until(lambda: http_status(self.ready) == 200, what="/readyz 200")
        self.finish(identifier)
        self.assertEqual(cluster.pids(), pids, "a daemon ended")
        accepted = json.loads(cluster.scmctl("submit", another, "-o", "json", check=True).stdout)
        self.assertEqual(cluster.wait(accepted["experiment"]), 0)

    def test_a_checkpoint_without_room_is_said_and_is_no_silence(self):
        self.start("coordinator")
        cluster = self.cluster
        # Half of the 128 MB are kept for the database. The trainer needs 30 s, well beyond the limit.
        identifier = cluster.submit(experiment(
            name="large", seeds=(11,), max_steps=100, retries=0, abort="{stalled: {minutes: 0.2}}",
            script="{step_ms: 300, payload_bytes: 80000000}"))
        run = lambda: cluster.json("runs", identifier)["runs"][0]
        cluster.until(lambda: "no room for" in (run()["reason"] or ""), what="the reason")
        self.assertIn("the upload of checkpoint 20, tried", run()["reason"])
        self.assertIn("checkpoints gc", cluster.scmctl("why", run()["id"]).stdout)
        cluster.until(lambda: not cluster.processes("scm-fake-trainer"), what="the trainer's end")
        self.assertEqual((run()["state"], run()["step"], run()["rule"]), ("RUNNING", 20, None))
        # Whoever wants it no more need not wait for room either.
        cluster.scmctl("cancel", identifier, check=True)
        self.assertEqual(cluster.wait(identifier), 8, cluster.logs())

    def test_a_checkpoint_larger_than_the_disk_is_not_tried_for_ever(self):
        self.start("coordinator")
        cluster = self.cluster
        identifier = cluster.submit(experiment(
            name="too-large", seeds=(11,), max_steps=400, retries=0,
            script="{step_ms: 30, payload_bytes: 200000000}"))
        self.assertEqual(cluster.wait(identifier), 3, cluster.logs())
        reason = cluster.json("runs", identifier)["runs"][0]["reason"]
        self.assertIn("(checkpoint 20) cannot be stored", reason)
        self.assertIn("can never be stored", reason)
        self.assertIn("--data-dir", reason)

    def test_workers_wait_for_room(self):
        self.start("workers")
        cluster = self.cluster
        identifier = self.submit("full")
        cluster.until(lambda: cluster.steps(identifier) >= 60, what="60 steps in all")
        pids = cluster.pids()
        fill(self.ballast)
        # The trainers cannot write their reports any more, and end. Their shims wait for room to say
        # so, and no new attempts are started.
        cluster.until(lambda: not cluster.processes("scm-fake-trainer"), what="the trainers' end")
        self.assertEqual(cluster.pids(), pids, "a daemon ended")
        self.ballast.unlink()
        self.finish(identifier)
        self.assertEqual(cluster.pids(), pids, "a daemon ended")


if __name__ == "__main__":
    probe = tempfile.mkdtemp(prefix="scm-test-")
    allowed = mount(probe)
    subprocess.run(["umount", "--lazy", probe], stderr=subprocess.DEVNULL, check=False)
    os.rmdir(probe)
    if not allowed:
        namespace = ["unshare", "--user", "--map-root-user", "--mount"]
        if "SCM_TEST_NAMESPACE" in os.environ or subprocess.run(
                [*namespace, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            print("NOT TESTED: a full disk. Neither this user nor a user namespace may mount a tmpfs.")
            sys.exit(SKIPPED)
        os.environ["SCM_TEST_NAMESPACE"] = "1"
        arguments = pathlib.Path("/proc/self/cmdline").read_bytes().decode().split("\0")[:-1]
        os.execvp("unshare", [*namespace, *arguments])
    run_tests()
