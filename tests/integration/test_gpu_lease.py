"""Workers whose NVIDIA library lists GPUs that libtorch does not see: the experiment fails at once, without a retry,
and its sentence says what the worker lacks; a gang keeps nobody waiting."""
import pathlib
import sys
import unittest

from mini_cluster import BIN, ManualCluster, run_tests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "fakes"))
import tiny_model  # noqa: E402


class WithGpusThatAreNone(ManualCluster):
    def start_worker(self, number):
        self.start(number, "scm-worker", "--coordinator", self.address, "--work-dir",
                   pathlib.Path(self.home, "workers", str(number)), "--cpus", 1, "--nvml", BIN / "libscm_fake_nvml.so")


@unittest.skipUnless((BIN / "scm-trainer").exists(), "built without libtorch")
class GpuLease(unittest.TestCase):
    def test_a_worker_whose_gpu_libtorch_does_not_see_says_so(self):
        cluster = WithGpusThatAreNone(workers=2)
        self.addCleanup(cluster.close)
        model = tiny_model.write(pathlib.Path(cluster.home, "model"), seed=5)
        for name, ranks in (("alone", 1), ("gang", 2)):
            with self.subTest(name):
                identifier = cluster.submit(f"""
name: {name}
stages: [replicate]
model: {{base: {model}}}
data: {{corpus: {HERE.parents[1] / "samples/corpus"}, max_length: 64}}
training: {{max_steps: 4, save_steps: 4, eval_steps: 4, warmup_steps: 0}}
replicate: {{seeds: [11]}}
resources: {{ranks: {ranks}, gpus: 1}}
""")
                self.assertEqual(cluster.wait(identifier), 3, cluster.logs())
                task = cluster.json("status", identifier)["tasks"][0]
                self.assertEqual((task["state"], task["attempts"]), ("FAILED", 1))
                self.assertRegex(task["reason"], "bad_input: resources.gpus names a GPU, but libtorch sees none: "
                                                 "(it is a build for CPUs; install|there is no driver: )")


if __name__ == "__main__":
    run_tests()
