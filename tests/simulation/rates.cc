#include "tests/simulation/rates.h"

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/no_convergence.h"
#include "statistics/binomial.h"
#include "statistics/bootstrap.h"
#include "statistics/detectable_effect.h"
#include "statistics/significance.h"

namespace scm::simulation {
namespace {

using statistics::Aggregate;
using statistics::BootstrapInterval;
using statistics::ClusterTotals;
using statistics::Comparison;
using statistics::Estimate;

bool Covers(double low, double high, double truth) { return low <= truth && truth <= high; }

double Share(int count, int of) { return of > 0 ? static_cast<double>(count) / of : 0; }

// Probabilities of 0 … n successes.
std::vector<double> BinomialPmf(int64_t n, double p) {
  std::vector<double> out(static_cast<size_t>(n) + 1);
  double below = 0;
  for (int64_t k = 0; k <= n; ++k) {
    const double cdf = statistics::BinomialCdf(k, n, p);
    out[static_cast<size_t>(k)] = cdf - below;
    below = cdf;
  }
  return out;
}

// From x right answers to each number at the next look: some of the right ones stay right, some of
// the wrong ones become right.
std::vector<double> NextCount(const AccuracyDesign& design, int64_t x) {
  const double fresh = (1 - design.keep) * design.accuracy;
  const std::vector<double> stay = BinomialPmf(x, design.keep + fresh);
  const std::vector<double> gain = BinomialPmf(design.items - x, fresh);
  std::vector<double> out(static_cast<size_t>(design.items) + 1, 0);
  for (size_t a = 0; a < stay.size(); ++a) {
    for (size_t b = 0; b < gain.size(); ++b) out[a + b] += stay[a] * gain[b];
  }
  return out;
}

int64_t LooksOf(const AccuracyDesign& design) {
  return policy::LooksOfBelowRandom(BelowRandomSpec{}, design.max_steps, design.eval_steps);
}
// By number of right answers.
std::vector<bool> FlaggedCounts(const AccuracyDesign& design) {
  std::vector<bool> flagged;
  for (int64_t correct = 0; correct <= design.items; ++correct) {
    const policy::ChanceTest look =
        policy::TestAgainstChance({correct, design.items, design.chance, design.deff});
    flagged.push_back(look.probability <=
                      BelowRandomSpec{}.false_abort / static_cast<double>(LooksOf(design)));
  }
  return flagged;
}

AbortRates RatesOf(const std::function<policy::RunHistory(Philox&)>& draw, const Repeat& repeat) {
  const policy::NoConvergencePolicy policy(NoConvergenceSpec{});
  int first = 0, all = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "no_convergence", static_cast<uint64_t>(r));
    const policy::Verdict verdict = policy.Evaluate(draw(rng), absl::UnixEpoch());
    if (verdict.kind != policy::VerdictKind::kAbort) continue;
    ++all;
    first += verdict.evidence->step == NoConvergenceSpec{}.after_step;
  }
  return {Share(first, repeat.repetitions), Share(all, repeat.repetitions)};
}

}  // namespace

CoverageRates Coverage(const AnswerDesign& design, const Repeat& repeat, int resamples) {
  int judged = 0, two_way = 0, bootstrap = 0, pooled = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "coverage", static_cast<uint64_t>(r));
    const Answers answers = DrawAnswers(design, rng);
    const Estimate e = statistics::ScoreInterval(answers.table).value();
    if (!e.judged()) continue;
    ++judged;
    two_way += Covers(e.low, e.high, design.accuracy);
    const double n = static_cast<double>(e.items) * e.seeds;
    const double margin = 1.96 * std::sqrt(e.value * (1 - e.value) / n);
    pooled += Covers(e.value - margin, e.value + margin, design.accuracy);
    if (resamples == 0) continue;
    const ClusterTotals totals = Aggregate(answers.table).value();
    const BootstrapInterval b =
        statistics::BootstrapMean(totals, {resamples, static_cast<uint64_t>(r)});
    bootstrap += Covers(b.low, b.high, design.accuracy);
  }
  return {Share(two_way, judged), Share(bootstrap, judged), Share(pooled, judged),
          1 - Share(judged, repeat.repetitions)};
}

TypeOneRates TypeOne(const AnswerDesign& design, const Repeat& repeat) {
  int two_way = 0, sign_flip = 0, mcnemar = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "type_one", static_cast<uint64_t>(r));
    const Answers answers = DrawAnswers(design, rng);
    const Comparison c = statistics::CompareWithBaseline(answers.table, answers.baseline).value();
    two_way += c.p_value <= 0.05;
    const ClusterTotals differences =
        Aggregate(statistics::Difference(answers.table, answers.baseline).value()).value();
    sign_flip += statistics::SignFlip(differences, 999, static_cast<uint64_t>(r)).p_value <= 0.05;
    mcnemar += statistics::McNemar(answers.table.scores[0], answers.baseline)->p_value <= 0.05;
  }
  return {Share(two_way, repeat.repetitions), Share(sign_flip, repeat.repetitions),
          Share(mcnemar, repeat.repetitions)};
}

double PowerAtDetectableEffect(const DifferenceDesign& design, const Repeat& repeat) {
  DifferenceDesign at = design;
  statistics::DesignAssumptions assumptions;
  assumptions.discordance = design.discordance;
  assumptions.shared = design.shared;
  assumptions.within_cluster = design.within;
  assumptions.seed_spread = design.seed_spread;
  at.effect =
      statistics::SmallestDetectableEffect({design.cluster_items, design.seeds}, assumptions)
          .effect;
  int found = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "power", static_cast<uint64_t>(r));
    const Estimate e = statistics::DifferenceInterval(DrawDifferences(at, rng)).value();
    found += e.value > 0 && statistics::PValue(e) <= 0.05;
  }
  return Share(found, repeat.repetitions);
}

double PassRate(const AnswerDesign& design, double threshold, const Repeat& repeat) {
  int passed = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "pass", static_cast<uint64_t>(r));
    const Estimate e = statistics::ScoreInterval(DrawAnswers(design, rng).table).value();
    passed += e.judged() && e.low > threshold;
  }
  return Share(passed, repeat.repetitions);
}

AbortRates NoConvergence(Curve curve, double noise, int64_t eval_steps, const Repeat& repeat) {
  return RatesOf([&](Philox& rng) { return DrawLossHistory(curve, noise, eval_steps, rng); },
                 repeat);
}

AbortRates NoConvergence(const Explosion& explosion, double noise, int64_t eval_steps,
                         const Repeat& repeat) {
  return RatesOf([&](Philox& rng) { return DrawLossHistory(explosion, noise, eval_steps, rng); },
                 repeat);
}

double BelowRandom(const AccuracyDesign& design, const Repeat& repeat) {
  const policy::BelowRandomPolicy policy(BelowRandomSpec{});
  int aborted = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "below_random", static_cast<uint64_t>(r));
    const policy::Verdict verdict =
        policy.Evaluate(DrawAccuracyHistory(design, rng), absl::UnixEpoch());
    aborted += verdict.kind == policy::VerdictKind::kAbort;
  }
  return Share(aborted, repeat.repetitions);
}

double ExactBelowRandom(const AccuracyDesign& design) {
  const std::vector<bool> flagged = FlaggedCounts(design);
  const size_t states = flagged.size();
  std::vector<std::vector<double>> next;
  for (size_t x = 0; x < states; ++x) next.push_back(NextCount(design, static_cast<int64_t>(x)));
  std::vector<double> alive = BinomialPmf(design.items, design.accuracy);
  double aborted = 0;
  for (int64_t look = 1; look < LooksOf(design); ++look) {
    std::vector<double> then(states, 0);
    for (size_t x = 0; x < states; ++x) {
      for (size_t y = 0; y < states; ++y) {
        (flagged[x] && flagged[y] ? aborted : then[y]) += alive[x] * next[x][y];
      }
    }
    alive = std::move(then);
  }
  return aborted;
}

double ExactBelowRandomOfFixedItems(const AccuracyDesign& design) {
  const std::vector<bool> flagged = FlaggedCounts(design);
  const auto fixed = std::llround(design.keep * static_cast<double>(design.items));
  const std::vector<double> of_fixed = BinomialPmf(fixed, design.accuracy);
  const std::vector<double> of_others = BinomialPmf(design.items - fixed, design.accuracy);
  double aborted = 0;
  for (size_t x = 0; x < of_fixed.size(); ++x) {
    double flag = 0;  // at one look, given the fixed items; looks are then independent
    for (size_t y = 0; y < of_others.size(); ++y) flag += flagged[x + y] ? of_others[y] : 0;
    double calm = 1 - flag, once = flag, twice = 0;
    for (int64_t look = 1; look < LooksOf(design); ++look) {
      twice += once * flag;
      const double before = calm;
      calm = (before + once) * (1 - flag);
      once = before * flag;
    }
    aborted += of_fixed[x] * twice;
  }
  return aborted;
}

}  // namespace scm::simulation
