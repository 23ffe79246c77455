"""GPUs of a played driver: two tasks share one, and one that vanishes costs an attempt and nothing else."""
import os
import pathlib
import unittest

from mini_cluster import BIN, FAKE, ManualCluster, experiment, run_tests

PRICES = "budget: {limit: 1000, gpu_hour: {default: 2.0}}\n"


class TwoGpus(ManualCluster):
    """One worker with as many CPU slots as anybody wants, and the GPUs GPU-0 and GPU-1."""

    def up(self):
        self.gpus = pathlib.Path(self.home, "gpus")
        self.there("01")
        self.environment = dict(os.environ, SCM_FAKE_GPUS=str(self.gpus))
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)
        super().up()

    def there(self, digits):
        new = self.gpus.with_suffix(".new")
        new.write_text(digits)
        new.rename(self.gpus)

    def start_worker(self, number):
        self.start(number, "scm-worker", "--coordinator", self.address, "--work-dir",
                   pathlib.Path(self.home, "workers", str(number)), "--cpus", 8, "--allow-trainer", FAKE,
                   "--nvml", BIN / "libscm_fake_nvml.so")

    def listed(self):
        return [gpu["index"] for gpu in self.json("workers", "ls")["workers"][0]["gpus"]]

    def granted(self):
        return sum(gpu["granted_ratio"] for gpu in self.json("workers", "ls")["workers"][0]["gpus"])

    def visible(self, task):
        """What the task's programs were told to use, by their environment while they run."""
        pids = self.processes(str(FAKE))
        found = []
        for pid in pids:
            try:
                words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [w.decode().split("=", 1)[1] for w in words if w.startswith(b"CUDA_VISIBLE_DEVICES=")]
        return found


class Gpus(unittest.TestCase):
    def setUp(self):
        self.cluster = TwoGpus(workers=1)
        self.addCleanup(self.cluster.close)

    def submit(self, name, resources, seeds, steps=60, step_ms=20):
        return self.cluster.submit(experiment(name=name, seeds=seeds, script=f"{{step_ms: {step_ms}}}", max_steps=steps,
                                              extra=f"resources: {resources}\n{PRICES}"))

    def finish(self, identifier):
        self.assertEqual(self.cluster.wait(identifier), 0,
                         f"{self.cluster.scmctl('status', identifier).stdout}\n"
                         f"{self.cluster.scmctl('events', identifier).stdout}\n{self.cluster.logs()}")

    def test_tasks_share_gpus(self):
        shared = self.submit("shared", "{gpus: 0.5}", (11, 12, 13, 14, 15), steps=200)
        self.cluster.until(lambda: len(self.cluster.visible(shared)) == 4, what="four tasks on two GPUs")
        self.assertEqual(sorted(self.cluster.visible(shared)), ["GPU-0", "GPU-0", "GPU-1", "GPU-1"])
        self.assertEqual(self.cluster.granted(), 2)
        self.assertIn("needs 0.5 of a GPU: all of them are busy", self.cluster.scmctl("status", shared).stdout)
        self.finish(shared)
        self.assertTrue(all(t["attempts"] == 1 for t in self.cluster.json("status", shared)["tasks"]))

    def test_a_share_that_is_none_is_refused(self):
        path = pathlib.Path(self.cluster.home, "refused.yaml")
        path.write_text(experiment(extra="resources: {gpus: 1.5}\n" + PRICES))
        done = self.cluster.scmctl("validate", path)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("a whole number from 0 to 4096, or a share of one GPU between 0 and 1, found 1.5",
                      done.stdout + done.stderr)

    def test_a_gpu_that_vanishes_costs_an_attempt_and_comes_back(self):
        calm = self.submit("calm", "{gpus: 1}", (11, 12), steps=60, step_ms=1)
        self.finish(calm)
        lost = self.submit("lost", "{gpus: 1}", (11, 12), steps=60, step_ms=300)
        self.cluster.until(lambda: sorted(self.cluster.visible(lost)) == ["GPU-0", "GPU-1"], what="two tasks")
        self.cluster.there("1")
        self.cluster.until(lambda: self.cluster.listed() == [1], what="one GPU, which keeps its number")
        self.cluster.until(lambda: self.cluster.visible(lost) == ["GPU-1"], what="the end of the task on the other")
        events = self.cluster.scmctl("events", lost).stdout
        self.assertIn("GPU 0 (NVIDIA H200, GPU-0) is gone", events)
        self.cluster.there("01")
        self.cluster.until(lambda: self.cluster.listed() == [0, 1] or self.cluster.listed() == [1, 0],
                           what="both GPUs")
        self.finish(lost)
        self.assertEqual(sorted(t["attempts"] for t in self.cluster.json("status", lost)["tasks"]), [1, 2])
        self.assertEqual(self.cluster.final_adapters(lost), self.cluster.final_adapters(calm))
        self.cluster.check_rows(self, lost, 60)
        told = self.cluster.json("events")["events"]
        texts = " ".join(e["text"] for e in told if e["kind"] == "worker_gpus_changed")
        self.assertIn("GPU 0 (NVIDIA H200, GPU-0) is gone: the driver does not list it any more", texts)
        self.assertIn("GPU 0 (NVIDIA H200, GPU-0) is there", texts)


if __name__ == "__main__":
    run_tests()
