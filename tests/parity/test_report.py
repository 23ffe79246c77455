"""scm-report against numpy and scipy: from answers and losses to intervals, p-values and gates.

Run: python tests/parity/test_report.py --bin-dir build/bin
"""
import json
import pathlib
import tempfile
import unittest

import numpy as np
from sklearn.metrics import f1_score

import support
import test_statistics as reference

SEEDS = (11, 12, 13, 14, 15)
COUNTRIES = ("Argentina", "Chile", "España", "Uruguay")
CLUSTERS, PER_CLUSTER = 40, 6


class Answers:
    """Two tasks; four answers by name, shuffled anew for every item. One seed is aborted."""

    def __init__(self, rng, aborted=None):
        n = CLUSTERS * PER_CLUSTER
        self.aborted = aborted
        self.cluster = np.repeat(np.arange(CLUSTERS), PER_CLUSTER)
        self.order = np.array([rng.permutation(4) for _ in range(n)])  # place → country
        self.gold = rng.integers(0, 4, size=n)  # country
        level = (0.7 + 0.15 * rng.normal(size=CLUSTERS))[self.cluster]
        self.said = {}
        for name, shift in [("base", -0.3)] + [(f"seed {s}", 0.02 * rng.normal()) for s in SEEDS]:
            right = rng.uniform(size=n) < level + shift
            self.said[name] = np.where(right, self.gold, (self.gold + rng.integers(1, 4, size=n)) % 4)
        answers = 1 + np.arange(CLUSTERS) % 3
        self.answers = answers
        self.loss = {"base": answers * rng.uniform(0.9, 2.2, size=CLUSTERS)}
        for seed in SEEDS:
            self.loss[f"seed {seed}"] = answers * rng.uniform(0.2, 0.6, size=CLUSTERS)

    def place(self, country):
        return [int(np.flatnonzero(self.order[i] == c)[0]) for i, c in enumerate(country)]

    def models(self):
        kept = [s for s in SEEDS if s != self.aborted]
        return [{"name": "base", "kind": "base"}] + [
            {"name": f"seed {s}", "kind": "seed", "seed": s, "run": f"r-{s}"} for s in kept]

    def evaluation(self):
        items = [{"id": f"i-{i}", "document": f"d-{c}", "cluster": f"c-{c}", "choices": 4,
                  "texts": [COUNTRIES[k] for k in self.order[i]],
                  "gold": self.place(self.gold)[i]} for i, c in enumerate(self.cluster)]
        names = [m["name"] for m in self.models()]
        scores = {name: {"countries": {"predicted": self.place(self.said[name]),
                                       "correct": (self.said[name] == self.gold).astype(int).tolist()}}
                  for name in names}
        loss = {name: {"documents": [
            {"document": f"d-{c}", "loss_sum": float(x), "answers": int(a)}
            for c, (x, a) in enumerate(zip(self.loss[name], self.answers))]} for name in names}
        return {"version": 1, "models": self.models(), "scores": scores, "loss": loss,
                "tasks": [{"name": "countries", "multi_label": False, "items": items}],
                "answer_chance_loss": float(np.log(4)), "latency": {}, "memory": None}

    def data(self):
        runs = [{"id": f"r-{s}", "stage": "replicate", "seed": s, "points": [],
                 "state": "ABORTED" if s == self.aborted else "SUCCEEDED"} for s in SEEDS]
        gates = {"accuracy": 0.6, "loss_reduction": 0.5, "p_value": 0.05}
        spec = {"evaluation": {"primary": {"task": "countries", "baseline": "base"}, "gates": gates}}
        return {"version": 1, "experiment": {"id": "e-1", "name": "parity", "spec": spec},
                "runs": runs, "stages": [], "certificates": [], "cost": None}

    def counted(self):
        """What each seed said, the aborted one as the base."""
        return [self.said["base" if s == self.aborted else f"seed {s}"] for s in SEEDS]


class ReportParity(unittest.TestCase):
    def report(self, answers):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "data.json").write_text(json.dumps(answers.data()))
            (folder / "evaluation.json").write_text(json.dumps(answers.evaluation()))
            support.run("scm-report", "--data", folder / "data.json",
                        "--evaluation", folder / "evaluation.json", "--out", folder / "out")
            return json.loads((folder / "out" / "report.json").read_text())

    def close(self, estimate, expected):
        np.testing.assert_allclose([estimate[k] for k in ("value", "low", "high")], expected,
                                   rtol=1e-9, atol=1e-9)

    def check(self, answers):
        out = self.report(answers)
        task = out["tasks"][0]
        rows = np.array([(said == answers.gold) for said in answers.counted()], float)
        base = (answers.said["base"] == answers.gold).astype(float)
        theta, low, high, _, _ = reference.score_interval(answers.cluster, rows)
        self.close(task["score"], (theta, low, high))
        delta, d_low, d_high, p = reference.difference_interval(answers.cluster, rows - base)
        comparison = task["comparisons"][0]
        self.close(comparison["difference"], (delta, d_low, d_high))
        np.testing.assert_allclose(comparison["p_value"], p, rtol=1e-8)
        self.close(comparison["share"], reference.ratio_interval(answers.cluster, rows, base))
        self.close(task["macro_f1"], reference.f1_interval(
            answers.cluster, answers.gold, answers.counted(), 4, "macro"))
        majority = np.bincount(answers.gold).max() / len(answers.gold)
        self.assertAlmostEqual(task["chance"], max(0.25, majority), places=12)
        capped = np.minimum(answers.loss["base"], answers.answers * np.log(4))
        seeds = np.array([capped if s == answers.aborted else answers.loss[f"seed {s}"] for s in SEEDS])
        r, r_low, r_high = reference.loss_reduction(capped, seeds)
        self.close(out["loss_reduction"], (r, r_low, r_high))
        whole = answers.loss["base"]
        seeds = np.array([whole if s == answers.aborted else answers.loss[f"seed {s}"] for s in SEEDS])
        self.close(out["loss_reduction"]["before_training"], reference.loss_reduction(whole, seeds))
        met = {"accuracy": low > 0.6, "loss_reduction": r_low > 0.5, "p_value": delta > 0 and p < 0.05}
        self.assertEqual({g["name"]: g["result"] == "met" for g in out["gates"]}, met)
        self.assertEqual(out["decision"], "go" if all(met.values()) else "no_go")
        return out, rows

    def test_five_seeds(self):
        out, _ = self.check(Answers(np.random.default_rng(31)))
        self.assertIsNone(out["tasks"][0]["score"]["without_aborted"])

    def test_an_aborted_seed_enters_as_the_base(self):
        answers = Answers(np.random.default_rng(32), aborted=13)
        out, rows = self.check(answers)
        kept = rows[[s != 13 for s in SEEDS]]
        theta, low, high, _, _ = reference.score_interval(answers.cluster, kept)
        self.close(out["tasks"][0]["score"]["without_aborted"], (theta, low, high))

    def test_macro_f1_is_sklearns_by_name(self):
        answers = Answers(np.random.default_rng(33))
        out = self.report(answers)
        expected = np.mean([f1_score(answers.gold, said, average="macro") for said in answers.counted()])
        self.assertAlmostEqual(out["tasks"][0]["macro_f1"]["value"], expected, places=12)


if __name__ == "__main__":
    support.main()
