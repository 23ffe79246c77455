"""The statistics library against an independent numpy / scipy / scikit-learn implementation.

Run: python tests/parity/test_statistics.py --bin-dir build/bin
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from scipy import stats

BIN_DIR = pathlib.Path("build/bin")


def effective_clusters(m):
    w = m * (1 + 0.1 * (m - 1))
    return w.sum() ** 2 / (w**2).sum()


def two_way(z, seed_deviation, g_star):
    """z is seeds × clusters. Returns variance and degrees of freedom."""
    S, G = z.shape
    zc = z.mean(axis=0)
    ac = S * (zc**2).sum() / (G - 1) / (G * S)
    d = max(g_star - 1, 1)
    if S == 1:
        return ac, d
    aS = G * (seed_deviation**2).sum() / (S - 1) / (G * S)
    e = z - zc[None, :] - z.mean(axis=1)[:, None] + z.mean()
    aE = (e**2).sum() / ((G - 1) * (S - 1)) / (G * S)
    V = max(ac + aS - aE, ac, aS)
    df = V**2 / (ac**2 / d + aS**2 / (S - 1) + aE**2 / (d * (S - 1)))
    return V, max(df, min(S - 1, d))


def totals(cluster, rows):
    G = cluster.max() + 1
    return np.stack([np.bincount(cluster, weights=row, minlength=G) for row in rows])


def mean_parts(cluster, rows):
    T = totals(cluster, rows)
    m = np.bincount(cluster).astype(float)
    N, G, theta = m.sum(), len(m), rows.mean()
    z = (G - 1) * (T - m * theta) / (N - m)
    return theta, z, rows.mean(axis=1) - theta, effective_clusters(m)


def score_interval(cluster, rows):
    theta, z, dev, g = mean_parts(cluster, rows)
    V, df = two_way(z, dev, g)
    h = stats.t.ppf(0.975, df) * np.sqrt(V) / (theta * (1 - theta))
    logit = np.log(theta / (1 - theta))
    return theta, 1 / (1 + np.exp(h - logit)), 1 / (1 + np.exp(-h - logit)), V, df


def difference_interval(cluster, rows):
    theta, z, dev, g = mean_parts(cluster, rows)
    V, df = two_way(z, dev, g)
    h = stats.t.ppf(0.975, df) * np.sqrt(V)
    return theta, max(theta - h, -1), min(theta + h, 1), 2 * stats.t.sf(abs(theta) / np.sqrt(V), df)


def ratio_interval(cluster, rows, base):
    theta, z, dev, g = mean_parts(cluster, rows)
    b, zb, _, _ = mean_parts(cluster, base[None, :])
    V, df = two_way(z / theta - zb / b, dev / theta, g)
    h = stats.t.ppf(0.975, df) * np.sqrt(V)
    return theta / b, theta / b * np.exp(-h), theta / b * np.exp(h)


def loss_reduction(base, seeds):
    """base: clusters; seeds: seeds × clusters."""
    L0, G = base.sum(), len(base)
    Rs = 1 - seeds.sum(axis=1) / L0
    R = Rs.mean()
    z = (G - 1) * (base * (1 - R) - seeds) / (L0 - base)
    V, df = two_way(z, Rs - R, L0**2 / (base**2).sum())
    h = stats.t.ppf(0.975, df) * np.sqrt(V)
    return R, R - h, min(R + h, 1)


def bootstrap_interval(cluster, rows, rng, resamples=20000):
    T = totals(cluster, rows)
    m = np.bincount(cluster)
    S, G = T.shape
    u = rng.multinomial(G, [1 / G] * G, size=resamples)
    v = rng.multinomial(S, [1 / S] * S, size=resamples)
    return np.quantile(((u @ T.T) * v).sum(axis=1) / (u @ m) / S, [0.025, 0.975])


def f1_interval(cluster, gold, predicted, labels, average):
    """Labels are single; exact cluster deletion."""
    from sklearn.metrics import f1_score

    def score(keep, row):
        return f1_score(gold[keep], row[keep], labels=range(labels), average=average,
                        zero_division=0)

    G = cluster.max() + 1
    everything = np.ones(len(cluster), bool)
    full = np.array([score(everything, row) for row in predicted])
    z = np.array([[(G - 1) * (f - score(cluster != c, row)) for c in range(G)]
                  for f, row in zip(full, predicted)])
    theta = full.mean()
    V, df = two_way(z, full - theta, effective_clusters(np.bincount(cluster).astype(float)))
    h = stats.t.ppf(0.975, df) * np.sqrt(V) / (theta * (1 - theta))
    logit = np.log(theta / (1 - theta))
    return theta, 1 / (1 + np.exp(h - logit)), 1 / (1 + np.exp(-h - logit))


def draw(rng, clusters, seeds, sizes):
    m = rng.choice(sizes, size=clusters)
    cluster = np.repeat(np.arange(clusters), m)
    level = 0.6 + 0.15 * rng.normal(size=clusters)[cluster] + 0.2 * rng.normal(size=len(cluster))
    rows = (rng.uniform(size=(seeds, len(cluster))) < level + 0.05).astype(float)
    base = (rng.uniform(size=len(cluster)) < level - 0.1).astype(float)
    return cluster, rows, base


class StatisticsParity(unittest.TestCase):
    def ask(self, flag, question):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(question, file)
            file.flush()
            done = subprocess.run([BIN_DIR / "scm-simulate-rates", flag, file.name],
                                  capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def close(self, found, expected, tolerance=1e-9):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

    def test_intervals_and_p_values(self):
        rng = np.random.default_rng(20)
        designs = [(12, 5, [1, 2, 9]), (40, 3, [4]), (70, 1, [2, 3]), (10, 2, [30])]
        for clusters, seeds, sizes in designs:
            with self.subTest(clusters=clusters, seeds=seeds, sizes=sizes):
                cluster, rows, base = draw(rng, clusters, seeds, sizes)
                out = self.ask("--interval", {"cluster": cluster.tolist(), "scores": rows.tolist(),
                                              "baseline": base.tolist()})
                theta, low, high, V, df = score_interval(cluster, rows)
                s = out["score"]
                self.close([s["value"], s["low"], s["high"], s["standard_error"], s["df"]],
                           [theta, low, high, np.sqrt(V), df])
                delta, low, high, p = difference_interval(cluster, rows - base)
                d = out["difference"]
                self.close([d["value"], d["low"], d["high"], out["p_value"]], [delta, low, high, p])
                self.close([out["ratio"][k] for k in ("value", "low", "high")],
                           ratio_interval(cluster, rows, base))
                for row, m in zip(rows, out["mcnemar"]):
                    b, c = int((row > base).sum()), int((row < base).sum())
                    self.close(m["p_value"], stats.binomtest(min(b, c), b + c).pvalue)
                reference = bootstrap_interval(cluster, rows, rng)
                width = reference[1] - reference[0]
                found = [out["bootstrap"]["low"], out["bootstrap"]["high"]]
                self.close(found, reference, 0.04 * width)

    def test_loss_reduction(self):
        rng = np.random.default_rng(21)
        answers = rng.integers(1, 9, size=30)
        base = answers * rng.uniform(0.8, 2.5, size=30)
        seeds = base * rng.uniform(0.2, 0.9, size=(5, 30))
        documents = [{"base": b, "seeds": s.tolist(), "answers": int(a)}
                     for b, s, a in zip(base, seeds.T, answers)]
        out = self.ask("--interval", {"documents": documents, "chance_loss": np.log(4)})
        capped = np.minimum(base, answers * np.log(4))
        self.close([out["loss_reduction"][k] for k in ("value", "low", "high")],
                   loss_reduction(capped, seeds))
        raw = self.ask("--interval", {"documents": documents, "chance_loss": 1e300})
        self.close([raw["loss_reduction"][k] for k in ("value", "low", "high")],
                   loss_reduction(base, seeds))

    def test_a_difference_ends_at_one(self):
        cluster, rows = np.repeat(np.arange(20), 3), np.zeros((2, 60))
        rows[0, np.arange(60) % 10 != 0] = rows[1, np.arange(60) % 10 == 0] = 1
        out = self.ask("--interval", {"cluster": cluster.tolist(), "scores": rows.tolist(),
                                      "baseline": [0.0] * 60})
        delta, low, high, p = difference_interval(cluster, rows)
        self.close([out["difference"][k] for k in ("value", "low", "high")], [delta, low, high])
        self.assertEqual([low, high], [-1, 1])
        self.close(out["p_value"], p)

    def test_f1(self):
        rng = np.random.default_rng(22)
        cluster = np.repeat(np.arange(20), rng.integers(2, 8, size=20))
        gold = rng.integers(0, 4, size=len(cluster))
        right = rng.uniform(size=(3, len(cluster))) < 0.6
        predicted = np.where(right, gold, rng.integers(0, 5, size=(3, len(cluster))))
        labels = 5  # label 4 is never gold
        out = self.ask("--interval", {
            "cluster": cluster.tolist(), "labels": labels, "gold": [[int(g)] for g in gold],
            "predicted": [[[int(p)] for p in row] for row in predicted]})
        for average in ("macro", "micro"):
            self.close([out[f"{average}_f1"][k] for k in ("value", "low", "high")],
                       f1_interval(cluster, gold, predicted, labels, average), 1e-8)

    def test_multi_label_f1(self):
        from sklearn.metrics import f1_score
        rng = np.random.default_rng(23)
        gold, predicted = (rng.uniform(size=(60, 6)) < p for p in (0.3, 0.4))
        sets = [[np.flatnonzero(row).tolist() for row in side] for side in (gold, predicted)]
        out = self.ask("--interval", {"cluster": (np.arange(60) // 4).tolist(), "labels": 6,
                                      "gold": sets[0], "predicted": [sets[1]]})
        for average in ("macro", "micro"):
            self.close(out[f"{average}_f1"]["value"],
                       f1_score(gold, predicted, average=average, zero_division=0))
        self.close(out["exact_set"]["value"], (gold == predicted).all(axis=1).mean())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", type=pathlib.Path, default=BIN_DIR)
    arguments, rest = parser.parse_known_args()
    BIN_DIR = arguments.bin_dir.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
