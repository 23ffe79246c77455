#include "tests/simulation/rates.h"

#include <cmath>

#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/no_convergence.h"
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
  const NoConvergencePolicy policy(NoConvergenceSpec{});
  int first = 0, all = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "no_convergence", static_cast<uint64_t>(r));
    const Verdict verdict =
        policy.Evaluate(DrawLossHistory(curve, noise, eval_steps, rng), absl::UnixEpoch());
    if (verdict.kind != VerdictKind::kAbort) continue;
    ++all;
    first += verdict.evidence->step == NoConvergenceSpec{}.after_step;
  }
  return {Share(first, repeat.repetitions), Share(all, repeat.repetitions)};
}

double BelowRandom(const AccuracyDesign& design, const Repeat& repeat) {
  const BelowRandomPolicy policy(BelowRandomSpec{});
  int aborted = 0;
  for (int r = 0; r < repeat.repetitions; ++r) {
    Philox rng(repeat.seed, "below_random", static_cast<uint64_t>(r));
    const Verdict verdict = policy.Evaluate(DrawAccuracyHistory(design, rng), absl::UnixEpoch());
    aborted += verdict.kind == VerdictKind::kAbort;
  }
  return Share(aborted, repeat.repetitions);
}

}  // namespace scm::simulation
