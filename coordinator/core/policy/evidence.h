// The rule's part of a stored certificate: everything that is needed to understand an abort and to
// recompute it. The controller adds id, time, checkpoint and what was saved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::policy {

struct Evidence {
  using Numbers = std::vector<std::pair<std::string, double>>;  // in the order they are shown

  std::string rule;
  int version = 1;
  std::string subject;     // run or experiment
  int64_t step = 0;        // at which the rule decided; 0 for an experiment
  std::string reason;      // one sentence, the same text in the log, the event table and `why`
  std::string seen;        // sentence: what was seen
  std::string threshold;   // sentence: the rule, with its numbers
  std::string confidence;  // sentence: how sure; says "nominal" where the rate is not exact
  // The values the verdict was computed from.
  std::vector<int64_t> window_steps;
  std::vector<double> window_values;
  Numbers statistic, limits;
  std::optional<double> false_abort_rate;  // bound on the rate a run, where one is known
  std::optional<double> nominal_rate;

  // Missing names give NaN.
  static double Find(const Numbers& numbers, const std::string& name);
};

// The certificate's keys that a rule owns, non-finite numbers as strings.
Json EvidenceToJson(const Evidence& evidence);

// Reads them back from a stored certificate. INVALID_ARGUMENT names the key that is missing or of
// another type.
absl::StatusOr<Evidence> EvidenceFromJson(const Json& certificate);

}  // namespace scm::policy
