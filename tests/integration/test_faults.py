"""kill -9 of trainer, shim, worker and coordinator: the final adapters equal the undisturbed ones."""
import os
import pathlib
import random
import signal
import unittest

from mini_cluster import ROUNDS, SEED, MiniCluster, experiment

SCRIPT = "{step_ms: 30}"


def processes_below(directory: str, program: str):
    """Process ids of `program` whose working directory or command lies below `directory`."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            command = pathlib.Path("/proc", entry, "cmdline").read_bytes().decode(errors="replace")
            directory_of = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if program in command.split("\0")[0] and (directory in command or
                                                  directory_of.startswith(directory)):
            found.append(int(entry))
    return found


class Faults(unittest.TestCase):
    def setUp(self):
        self.cluster = MiniCluster()
        self.addCleanup(self.cluster.close)

    def final_adapters(self, identifier):
        """SHA-256 of the last checkpoint's files, by seed and name."""
        digests = {}
        for run in self.cluster.json("runs", identifier)["runs"]:
            checkpoints = self.cluster.json("checkpoints", "ls", run["id"])["checkpoints"]
            files = {f["path"]: f["sha256"] for f in checkpoints[-1]["files"]}
            digests[run["seed"]] = files
        return digests

    def kill_one(self, kind, chance):
        if kind in ("coordinator", "worker"):
            pids = self.cluster.pids()
            victims = [pids["coordinator"]] if kind == "coordinator" else list(pids["workers"].values())
        else:
            victims = processes_below(self.cluster.home,
                                      "scm-attempt" if kind == "shim" else "scm-fake-trainer")
        victims = [pid for pid in victims if pid]
        if victims:
            os.kill(chance.choice(victims), signal.SIGKILL)
        self.cluster.up()

    def test_killed_processes_change_nothing(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        chance = random.Random(SEED)
        calm = self.cluster.submit(experiment(name="calm", script=SCRIPT, max_steps=100))
        self.assertEqual(self.cluster.wait(calm), 0)
        expected = self.final_adapters(calm)
        for round_number in range(ROUNDS):
            for kind in ("trainer", "shim", "worker", "coordinator"):
                with self.subTest(kind=kind, round=round_number):
                    identifier = self.cluster.submit(
                        experiment(name=f"{kind}-{round_number}", script=SCRIPT, max_steps=100))
                    step = lambda: sum(r["step"] for r in
                                       self.cluster.json("runs", identifier)["runs"])
                    goal = chance.randrange(5, 300)
                    self.cluster.until(lambda: step() >= goal, what=f"{goal} steps in all")
                    self.kill_one(kind, chance)
                    self.assertEqual(self.cluster.wait(identifier), 0, self.cluster.logs())
                    self.assertEqual(self.final_adapters(identifier), expected)
                    for run in self.cluster.json("runs", identifier)["runs"]:
                        points = self.cluster.json("metrics", run["id"])["points"]
                        losses = [p["step"] for p in points if p["name"] == "train_loss"]
                        self.assertEqual(losses, sorted(set(losses)), "a row is doubled")
                        self.assertEqual(losses[-1], 100)
                        self.assertEqual(len(losses), 100, "a row is lost")

    def test_local_down_and_up_loses_nothing(self):
        identifier = self.cluster.submit(experiment(name="down", script=SCRIPT, max_steps=100))
        step = lambda: sum(r["step"] for r in self.cluster.json("runs", identifier)["runs"])
        self.cluster.until(lambda: step() >= 40, what="40 steps in all")
        self.cluster.scmctl("local", "down", check=True)
        self.assertEqual(processes_below(self.cluster.home, "scm-"), [])
        self.cluster.up()
        self.assertEqual(self.cluster.wait(identifier), 0, self.cluster.logs())
        status = self.cluster.json("status", identifier)
        self.assertTrue(all(run["state"] == "SUCCEEDED" for run in status["runs"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
