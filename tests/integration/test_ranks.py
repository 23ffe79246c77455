"""Gangs: one run trained by several processes on two workers. All ranks start or none does, rank 0 reports
and saves, and a rank that dies takes the attempt with it on every worker."""
import pathlib
import unittest

from mini_cluster import FAKE, ManualCluster, experiment, run_tests

STEPS = 60


class TwoSlots(ManualCluster):
    """Workers of two CPU slots each: three ranks need both."""

    def start_worker(self, number):
        self.start(number, "scm-worker", "--coordinator", self.address, "--work-dir",
                   pathlib.Path(self.home, "workers", str(number)), "--cpus", 2,
                   "--allow-trainer", FAKE)


class Ranks(unittest.TestCase):
    def setUp(self):
        self.cluster = TwoSlots(workers=2)
        self.addCleanup(self.cluster.close)

    def train(self, ranks, script="{}", retries=3):
        identifier = self.cluster.submit(
            experiment(name=f"ranks-{ranks}", seeds=(11,), script=script, max_steps=STEPS,
                       retries=retries, extra=f"resources: {{ranks: {ranks}}}\n"))
        code = self.cluster.wait(identifier)
        self.assertEqual(code, 0, f"{self.cluster.scmctl('status', identifier).stdout}\n"
                                  f"{self.cluster.scmctl('events', identifier).stdout}\n"
                                  f"{self.cluster.logs()}")
        return identifier

    def task(self, identifier):
        return self.cluster.json("status", identifier)["tasks"][0]

    def test_one_two_and_three_ranks_give_one_result(self):
        alone = self.train(1)
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                gang = self.train(ranks)
                self.assertEqual(self.cluster.final_adapters(gang), self.cluster.final_adapters(alone))
                self.assertEqual(self.task(gang)["attempts"], 1)
                self.cluster.check_rows(self, gang, STEPS)

    def test_a_rank_that_dies_ends_the_attempt_on_all_and_the_next_one_goes_on(self):
        alone = self.train(1)
        for rank in (0, 1, 2):
            with self.subTest(rank=rank):
                script = ("{exit_at_step: 33, exit_code: -9, fault_attempts: 1, step_ms: 5, "
                          f"fault_rank: {rank}}}")
                gang = self.train(3, script)
                self.assertEqual(self.task(gang)["attempts"], 2)
                self.assertEqual(self.cluster.final_adapters(gang), self.cluster.final_adapters(alone))
                self.cluster.check_rows(self, gang, STEPS)
                self.cluster.until(lambda: not self.cluster.processes("scm-fake-trainer"),
                                   what="the end of every rank")

    def test_more_ranks_than_slots_wait_and_say_so(self):
        identifier = self.cluster.submit(
            experiment(name="too-many", seeds=(11,), max_steps=STEPS,
                       extra="resources: {ranks: 5}\n"))
        self.cluster.until(lambda: "5 ranks" in self.task(identifier)["reason"], what="the reason")
        self.assertEqual(self.task(identifier)["state"], "PENDING")


if __name__ == "__main__":
    run_tests()
