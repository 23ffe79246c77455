"""Clocks that are set, a coordinator that stands still, a store that is put back, on real processes: every
experiment ends as if nothing had happened."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import stat
import subprocess
import time
import unittest

from mini_cluster import BIN, FAKE, ManualCluster, experiment, run_tests

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 60
SCRIPT = "{step_ms: 60}"


def text_of(cluster):
    """Every event, also those of the cluster itself."""
    return cluster.scmctl("events", check=True).stdout


class ShiftedCluster(ManualCluster):
    """All its processes see a wall clock that `set_clock` moves."""

    def up(self):
        self.clock = pathlib.Path(self.home, "clock")
        self.clock.write_text("0")
        library = pathlib.Path(self.home, "clock_shift.so")
        subprocess.run([os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", library,
                        HERE / "clock_shift.c", "-ldl"], check=True)
        self.environment = dict(os.environ, LD_PRELOAD=str(library), SCM_TEST_CLOCK=str(self.clock))
        super().up()

    def set_clock(self, ahead: int):
        self.clock.write_text(str(ahead))


class WallClock(unittest.TestCase):
    def test_an_hour_forward_and_two_back_change_nothing(self):
        cluster = ShiftedCluster(workers=2, coordinator_flags=("--lease-ttl-seconds", 6))
        self.addCleanup(cluster.close)
        # Ten leased minutes are paid for; all of it takes half a minute.
        identifier = cluster.submit(experiment(
            name="clock", script=SCRIPT, max_steps=STEPS, seeds=(11, 12, 13), retries=0,
            abort="{stalled: {minutes: 5}}",
            extra="budget: {limit: 0.5, currency: USD, cpu_hour: 3.0}\n"))
        cluster.until(lambda: cluster.steps(identifier) >= 20, what="some steps")
        cluster.set_clock(3600)
        cluster.until(lambda: text_of(cluster).count("set forward by 60 min") >= 3,
                      what="the jump in the events, of the coordinator and both workers")
        cluster.until(lambda: cluster.steps(identifier) >= 60, what="more steps")
        cluster.set_clock(-3600)
        cluster.until(lambda: "set back by 2 h" in text_of(cluster), what="the jump back")
        self.assertEqual(cluster.wait(identifier), 0, cluster.logs())
        runs = cluster.json("runs", identifier)["runs"]
        self.assertEqual([run["attempts"] for run in runs], [1, 1, 1])
        self.assertLess(cluster.json("status", identifier)["experiment"]["cost"], 0.5)
        # Who reads the trainer's output is told, too.
        self.assertIn("the wall clock was set forward by 3600 s",
                      cluster.scmctl("logs", identifier).stdout)


class StoodStill(unittest.TestCase):
    def test_a_coordinator_that_stood_still_past_every_lease_takes_none(self):
        cluster = ManualCluster(workers=2, coordinator_flags=("--lease-ttl-seconds", 3))
        self.addCleanup(cluster.close)
        identifier = cluster.submit(experiment(
            name="pause", script="{step_ms: 250}", max_steps=100, seeds=(11, 12), retries=0,
            abort="{stalled: none}"))
        cluster.until(lambda: cluster.steps(identifier) >= 10, what="some steps")
        coordinator = cluster.running["coordinator"].pid
        workers = [cluster.running[number].pid for number in (1, 2)]
        # Alone; and with its workers, which come back a moment after it, as when a host sleeps.
        for others in ([], workers):
            for pid in [coordinator, *others]:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            while time.monotonic() < began + 8:  # more than twice a lease
                time.sleep(0.1)
            os.kill(coordinator, signal.SIGCONT)
            cluster.json("workers", "ls")
            for pid in others:
                os.kill(pid, signal.SIGCONT)
            before = cluster.steps(identifier)
            cluster.until(lambda: cluster.steps(identifier) > before, what="a step after the pause")
        self.assertEqual(cluster.wait(identifier), 0, cluster.logs())
        runs = cluster.json("runs", identifier)["runs"]
        self.assertEqual([run["attempts"] for run in runs], [1, 1], text_of(cluster))
        self.assertGreaterEqual(text_of(cluster).count("coordinator_paused"), 2)
        self.assertNotIn("no word", text_of(cluster))
        cluster.check_rows(self, identifier, 100)


class PutBack(unittest.TestCase):
    """The database of an earlier moment under workers that live on."""

    def restore(self, cluster, backup):
        data = pathlib.Path(cluster.home, "coordinator")
        coordinator = cluster.running["coordinator"]
        coordinator.kill()
        coordinator.wait()
        for file in data.glob("scm.db*"):
            file.unlink()
        for file in backup.glob("scm.db*"):
            shutil.copy(file, data)

    def back_up(self, cluster):
        """With the coordinator down, as docs/deploy.md says."""
        backup = pathlib.Path(cluster.home, "backup")
        backup.mkdir()
        coordinator = cluster.running["coordinator"]
        coordinator.kill()
        coordinator.wait()
        for file in pathlib.Path(cluster.home, "coordinator").glob("scm.db*"):
            shutil.copy(file, backup)
        return backup

    def start(self, cluster):
        address = cluster.address
        data = pathlib.Path(cluster.home, "coordinator")
        (data / "address.json").unlink()
        cluster.start("coordinator", "scm-coordinator", "--data-dir", data, "--listen", address,
                      *cluster.coordinator_flags)
        cluster.until((data / "address.json").exists, what="the coordinator's address")

    def play(self, before: bool, progress):
        """A back-up from before or within the first experiment is put back after that `progress`."""
        cluster = ManualCluster(workers=2, coordinator_flags=("--lease-ttl-seconds", 6))
        self.addCleanup(cluster.close)
        keys = dict(script=SCRIPT, max_steps=100, seeds=(11, 12, 13), retries=1)
        if not before:
            first = cluster.submit(experiment(name="first", **keys))
            cluster.until(lambda: cluster.steps(first) >= 15, what="some steps")
        backup = self.back_up(cluster)
        self.start(cluster)
        if before:
            first = cluster.submit(experiment(name="first", **keys))
        cluster.until(lambda: progress(cluster, first), what="progress")
        self.restore(cluster, backup)
        self.start(cluster)
        second = cluster.submit(experiment(name="second", **keys))
        for identifier in [second] if before else [first, second]:
            self.assertEqual(cluster.wait(identifier, timeout=200), 0, cluster.logs())
            cluster.check_rows(self, identifier, 100)
        self.assertIn("store_is_behind", text_of(cluster))

    def test_attempts_that_it_has_go_on_from_their_checkpoints(self):
        """Their leases are known, and most of what they reported is not."""
        self.play(False, lambda cluster, identifier: cluster.steps(identifier) >= 100)

    def test_attempts_that_ended_since_are_made_again(self):
        self.play(False, lambda cluster, identifier: any(
            run["state"] == "SUCCEEDED" for run in cluster.json("runs", identifier)["runs"]))

    def test_attempts_that_it_never_heard_of_leave_their_numbers_taken(self):
        self.play(True, lambda cluster, identifier: any(
            run["state"] == "SUCCEEDED" for run in cluster.json("runs", identifier)["runs"]))


TRAINER = """#!/usr/bin/env python3
import json, os, sys
seen = {"uid": os.getuid(), "open": {}}
for path in sys.argv[1:] + [f"/proc/{os.environ['DAEMON']}/environ"]:
    try:
        open(path).read()
        seen["open"][path] = True
    except OSError:
        seen["open"][path] = False
spec = json.load(open(os.environ["SCM_SPEC"]))
seen["beside"] = []
open("scratch", "w").write("relative paths mean below the attempt's directory")
for name in ("deadline", "spec.json", "report.jsonl"):
    try:
        os.unlink(name)
        seen["beside"].append(name)
    except OSError:
        pass
print(json.dumps(seen), flush=True)
checkpoint = os.path.join(spec["work_dir"], "c")
os.makedirs(checkpoint)
open(os.path.join(checkpoint, "w"), "w").write("weights")
with os.fdopen(int(os.environ["SCM_REPORT_FD"]), "a") as reports:
    for line in ({"type": "started"},
                 {"type": "progress", "step": 1, "metrics": {"train_loss": 1.0}},
                 {"type": "validation", "step": 1, "metrics": {"validation_loss": 1.0}},
                 {"type": "checkpoint", "step": 1, "dir": checkpoint},
                 {"type": "done"}):
        reports.write(json.dumps(line) + "\\n")
        reports.flush()
"""


@unittest.skipUnless(os.geteuid() == 0, "takes root: processes become another user")
class TrainerUser(unittest.TestCase):
    def test_a_trainer_reads_no_token_and_no_key(self):
        cluster = ManualCluster(workers=0)
        self.addCleanup(cluster.close)
        os.chmod(cluster.home, 0o711)
        trainer = pathlib.Path(cluster.home, "trainer.py")
        trainer.write_text(TRAINER)
        trainer.chmod(0o755)
        token = pathlib.Path(cluster.home, "worker.token")
        token.write_text("a token that nobody asks for\n")
        token.chmod(stat.S_IRUSR | stat.S_IWUSR)
        work = pathlib.Path(cluster.home, "w")
        # The daemon's own pid is what a program would look for.
        wrapper = pathlib.Path(cluster.home, "run.sh")
        wrapper.write_text(f"#!/bin/sh\nDAEMON=$$ exec {BIN}/scm-worker \"$@\"\n")
        wrapper.chmod(0o755)
        cluster.start("w", wrapper, "--coordinator", cluster.address, "--work-dir", work, "--cpus", 1,
                      "--allow-trainer", trainer, "--trainer-user", "nobody", "--token-file", token)
        secrets = [token, work / "instance.key"]
        identifier = cluster.submit(experiment(
            name="user", seeds=(11,), max_steps=1, retries=0).replace(
                f"command: [{FAKE}]", f"command: [{trainer}, {', '.join(map(str, secrets))}]"))
        self.assertEqual(cluster.wait(identifier), 0,
                         cluster.logs() + cluster.scmctl("logs", identifier).stdout)
        seen = json.loads(cluster.scmctl("logs", identifier).stdout.splitlines()[0])
        self.assertEqual(seen["uid"], pwd.getpwnam("nobody").pw_uid)
        self.assertEqual(len(seen["open"]), 3)
        self.assertNotIn(True, seen["open"].values(), seen)
        self.assertEqual(seen["beside"], [], "files of the daemon could be removed")
        self.assertEqual((work / "instance.key").stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    run_tests()
