"""A trainer of one's own is told the split, gets the corpus that was submitted or none, and is given only to
workers that allow it."""
import json
import pathlib
import shutil
import unittest

import mini_cluster

TRAINER = pathlib.Path(__file__).resolve().parent / "split_trainer.py"


class OwnCluster(mini_cluster.MiniCluster):
    allowed = (TRAINER,)

    def up(self):
        flags = [word for path in self.allowed for word in ("--allow-trainer", path)]
        self.scmctl("local", "up", "--workers", self.workers, *flags, check=True)


def lines_of(documents):
    """Documents and items of a little corpus: two questions of each document."""
    texts = [{"id": f"d{n}", "text": f"text {n}", "language": "en", "as_of": "2026-01-01"}
             for n in range(documents)]
    items = [{"id": f"d{n}.{k}", "task": "t", "document": f"d{n}", "prompt": f"What about {n} and {k}?",
              "choices": ["one", "two"], "gold": (n + k) % 2} for n in range(documents) for k in range(2)]
    return ("".join(json.dumps(line) + "\n" for line in lines) for lines in (texts, items))


class Inputs(unittest.TestCase):
    def setUp(self):
        self.cluster = OwnCluster(workers=1)
        self.addCleanup(self.cluster.close)
        self.corpus = pathlib.Path(self.cluster.home, "corpus")
        documents, items = lines_of(20)
        for folder, text in (("documents", documents), ("items", items)):
            (self.corpus / folder).mkdir(parents=True)
            (self.corpus / folder / "a.jsonl").write_text(text)

    def experiment(self, seeds="[11]", parameters="{}", command=TRAINER, cpus=1):
        return f"""name: own
stages: [replicate, report]
trainer: {{command: [{command}], parameters: {parameters}}}
data: {{corpus: {self.corpus}, split: {{train: 0.5, validation: 0.2, test: 0.3}}}}
training: {{max_steps: 3, warmup_steps: 0, save_steps: 3, eval_steps: 3, early_stopping: none}}
replicate: {{seeds: {seeds}}}
resources: {{cpus: {cpus}}}
abort: {{no_convergence: none, below_random: none, stalled: none}}
"""

    def test_the_split_arrives(self):
        experiment = self.cluster.submit(self.experiment())
        self.assertEqual(self.cluster.wait(experiment), 0, self.cluster.logs())
        run = self.cluster.json("runs", experiment)["runs"][0]
        points = {point["name"]: point["value"]
                  for point in self.cluster.json("metrics", run["id"])["points"]}
        self.assertEqual((points["train_items"], points["test_items"]), (20, 12))

    def test_an_edited_corpus_is_not_trained_on(self):
        gate = pathlib.Path(self.cluster.home, "gate")
        gate.touch()
        # One after the other: each takes the whole worker.
        slots = self.cluster.json("workers", "ls")["workers"][0]["cpus"]
        experiment = self.cluster.submit(
            self.experiment("[11, 12]", f"{{wait_for_end_of: {gate}}}", cpus=slots))
        self.cluster.until(lambda: self.cluster.steps(experiment) == 3, what="the first run's steps")
        items = self.corpus / "items" / "a.jsonl"
        items.write_text(items.read_text().replace('"gold": 1', '"gold": 0'))
        gate.unlink()
        self.cluster.wait(experiment)
        runs = {run["seed"]: run for run in self.cluster.json("runs", experiment)["runs"]}
        self.assertEqual(runs[11]["state"], "SUCCEEDED")
        self.assertEqual((runs[12]["state"], runs[12]["attempts"]), ("FAILED", 1))
        why = self.cluster.scmctl("why", runs[12]["id"]).stdout
        self.assertIn("is not what it was when the experiment was submitted", " ".join(why.split()))
        self.assertIn("items/a.jsonl", why)

    def test_a_program_that_no_worker_allows_is_refused_at_submission(self):
        other = pathlib.Path(self.cluster.home, "other.py")
        shutil.copy(TRAINER, other)
        path = pathlib.Path(self.cluster.home, "other.yaml")
        path.write_text(self.experiment(command=other))
        sentence = f"no worker allows {other}; start one with --allow-trainer {other}"
        done = self.cluster.scmctl("submit", path)
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{path}:3: trainer.command: {sentence}", done.stderr)
        self.assertEqual(self.cluster.json("ls")["experiments"], [])
        done = self.cluster.scmctl("plan", path, "-o", "json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["unplaceable"]), (5, [sentence]))


if __name__ == "__main__":
    mini_cluster.run_tests()
