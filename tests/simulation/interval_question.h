// The statistics library as one function from JSON to JSON, so that another implementation can be
// held against it.
#pragma once

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::simulation {

// Answers whichever of these the question holds:
//   cluster, scores, baseline   → score, bootstrap, difference, p_value, ratio, sign_flip, mcnemar
//   documents, chance_loss      → loss_reduction
//   cluster, labels, gold, predicted → macro_f1, micro_f1, exact_set
absl::StatusOr<Json> AnswerQuestion(const Json& question);

}  // namespace scm::simulation
