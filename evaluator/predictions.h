// A baseline known only by its answers: JSON lines {"id": item, "predicted": index or [indices]}.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluator/scores.h"

namespace scm::evaluator {

struct ImportedPredictions {
  ModelScores scores;   // of the tasks whose every item is answered
  std::string missing;  // what is not answered, for people; "" = nothing
};

// NOT_FOUND without the file; INVALID_ARGUMENT with FILE:LINE for what is no prediction, an index
// outside the item's choices, or an item answered twice. Answers to items that are not in the test
// set are ignored, so that one file can serve several splits.
absl::StatusOr<ImportedPredictions> ImportPredictions(const std::string& path,
                                                      const std::vector<TestTask>& tasks);

// The same for what was read from `path` already.
absl::StatusOr<ImportedPredictions> ScorePredictions(absl::string_view text,
                                                     const std::string& path,
                                                     const std::vector<TestTask>& tasks);

}  // namespace scm::evaluator
