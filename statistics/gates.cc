#include "statistics/gates.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace scm::statistics {
namespace {

std::string Percent(double confidence) { return absl::StrFormat("%.3g %%", 100 * confidence); }

Gate LowerBoundGate(const char* name, const Estimate& estimate, double asked,
                    const std::string& what) {
  Gate gate{name, asked, estimate.value, estimate.low, estimate.high, GateResult::kCannotBeJudged,
            ""};
  if (!estimate.judged() || !std::isfinite(estimate.low)) {
    const std::string reason =
        estimate.judged() ? "its interval does not exist" : estimate.cannot_be_judged;
    gate.sentence = absl::StrFormat(
        "The %s cannot be judged: %s. The gate asks that its lower bound exceed %.3g.", what,
        reason, asked);
    return gate;
  }
  gate.result = estimate.low > asked ? GateResult::kMet : GateResult::kNotMet;
  gate.sentence = absl::StrFormat(
      "The %s is %.3f, %s interval %.3f to %.3f over %d %s; the gate asks that the lower bound "
      "exceed %.3g: %s.",
      what, estimate.value, Percent(estimate.confidence), estimate.low, estimate.high,
      estimate.seeds, estimate.seeds == 1 ? "seed" : "seeds", asked,
      gate.result == GateResult::kMet ? "met" : "not met");
  return gate;
}

std::string PValueText(double p) {
  return p < 0.001 ? std::string("p < 0.001") : absl::StrFormat("p = %.3f", p);
}

}  // namespace

const char* GateResultName(GateResult result) {
  switch (result) {
    case GateResult::kMet:
      return "met";
    case GateResult::kNotMet:
      return "not_met";
    case GateResult::kCannotBeJudged:
      return "cannot_be_judged";
  }
  return "";
}

Gate AccuracyGate(const Estimate& accuracy, double asked, const std::string& what) {
  return LowerBoundGate("accuracy", accuracy, asked, what);
}

Gate LossReductionGate(const Estimate& reduction, double asked, const Estimate& before_training) {
  const double apart = std::fabs(before_training.value - reduction.value);
  if (!(apart >= 0.0005)) {
    return LowerBoundGate("loss_reduction", reduction, asked, "loss reduction");
  }
  Gate gate = LowerBoundGate("loss_reduction", reduction, asked,
                             "loss reduction, counted from what guessing among the choices loses,");
  absl::StrAppend(
      &gate.sentence,
      absl::StrFormat(" Relative to the loss before training it is %.3f, which the gate does not "
                      "use: dropping from an untrained format is not learning.",
                      before_training.value));
  return gate;
}

Gate PValueGate(const Comparison& comparison, double asked, const std::string& baseline) {
  const Estimate& delta = comparison.difference;
  Gate gate{
      "p_value", asked, comparison.p_value, delta.low, delta.high, GateResult::kCannotBeJudged, ""};
  if (!delta.judged() || std::isnan(comparison.p_value)) {
    gate.sentence =
        absl::StrCat("The difference from ", baseline, " cannot be judged: ",
                     delta.judged() ? "its spread is unknown" : delta.cannot_be_judged, ".");
    return gate;
  }
  gate.result =
      delta.value > 0 && comparison.p_value < asked ? GateResult::kMet : GateResult::kNotMet;
  gate.sentence = absl::StrFormat(
      "Against %s the difference is %+.1f points (%s interval %+.1f to %+.1f, %s); the gate asks "
      "for a gain with p below %.3g: %s.",
      baseline, 100 * delta.value, Percent(delta.confidence), 100 * delta.low, 100 * delta.high,
      PValueText(comparison.p_value), asked, gate.result == GateResult::kMet ? "met" : "not met");
  return gate;
}

Gate LatencyGate(const CertifiedPercentile& latency_ms, double asked) {
  Gate gate{"latency_ms_p95",
            asked,
            latency_ms.found,
            kNotANumber,
            kNotANumber,
            GateResult::kCannotBeJudged,
            ""};
  const std::string rank = absl::StrFormat("%.3gth percentile", 100 * latency_ms.percentile);
  if (!latency_ms.bound) {
    gate.sentence = absl::StrFormat(
        "The latency's %s cannot be judged: %d samples, and a bound needs at least %d.", rank,
        latency_ms.samples, latency_ms.samples_needed);
    return gate;
  }
  gate.high = *latency_ms.bound;
  gate.result = gate.high < asked ? GateResult::kMet : GateResult::kNotMet;
  gate.sentence = absl::StrFormat(
      "The latency's %s is %.4g ms and with %s confidence at most %.4g ms, from %d samples; the "
      "gate asks for less than %.4g ms: %s.",
      rank, latency_ms.found, Percent(latency_ms.confidence), gate.high, latency_ms.samples, asked,
      gate.result == GateResult::kMet ? "met" : "not met");
  return gate;
}

Gate UnjudgedGate(const std::string& name, double asked, const std::string& reason) {
  Gate gate;
  gate.name = name;
  gate.asked = asked;
  gate.sentence = absl::StrCat("Cannot be judged: ", reason, ".");
  return gate;
}

bool AllMet(const std::vector<Gate>& gates) {
  for (const Gate& gate : gates) {
    if (gate.result != GateResult::kMet) return false;
  }
  return !gates.empty();
}

}  // namespace scm::statistics
