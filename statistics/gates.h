// Go / no-go gates. A gate passes on a confidence bound, strictly, and never on a point value. All
// gates must hold, so none is corrected for multiplicity. Source: docs/statistics.md, §3. Pure.
#pragma once

#include <string>
#include <vector>

#include "statistics/interval.h"
#include "statistics/latency.h"
#include "statistics/significance.h"

namespace scm::statistics {

enum class GateResult { kMet, kNotMet, kCannotBeJudged };
// "met", "not_met", "cannot_be_judged".
const char* GateResultName(GateResult result);

struct Gate {
  std::string name;  // key of evaluation.gates
  double asked = 0;
  double found = kNotANumber;                    // point value
  double low = kNotANumber, high = kNotANumber;  // its interval, where one exists
  GateResult result = GateResult::kCannotBeJudged;
  std::string sentence;  // for people: what was found, what was asked
  // The chance that as many new seeds pass it on the same items (statistics/replication.h).
  double replication = kNotANumber;
};

// Lower limit of the accuracy strictly above `asked`. `what` names the score ("accuracy on
// legal_reasoning").
Gate AccuracyGate(const Estimate& accuracy, double asked, const std::string& what);

// Lower limit of the loss reduction, counted from guessing, strictly above `asked`. Where the
// reduction relative to the loss before training is another number, the sentence says both, and
// which of them the gate uses.
Gate LossReductionGate(const Estimate& reduction, double asked,
                       const Estimate& before_training = Estimate());

// p below `asked` and Δ > 0. found = p; low and high are the interval of Δ.
Gate PValueGate(const Comparison& comparison, double asked, const std::string& baseline);

// Certified 95th percentile below `asked` milliseconds; high is the certified bound. Too few
// samples: cannot be judged.
Gate LatencyGate(const CertifiedPercentile& latency_ms, double asked);

// A gate without data, such as a task that was not evaluated.
Gate UnjudgedGate(const std::string& name, double asked, const std::string& reason);

// Whether all gates are met. A gate that cannot be judged is not met; no gates at all is no "go".
bool AllMet(const std::vector<Gate>& gates);

}  // namespace scm::statistics
