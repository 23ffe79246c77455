// F1 over a fixed list of labels, for single-label and multi-label answers, with an interval over
// clusters and seeds. Labels come from the corpus and never from a resample: a class that happens
// to be absent still counts. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "statistics/bootstrap.h"
#include "statistics/interval.h"

namespace scm::statistics {

// Answers of all seeds. A single-label answer is a set of one; an empty set is "none", and a label
// outside 0 … labels − 1 is an answer that could not be read: it misses its gold label and helps no
// other class.
struct LabelAnswers {
  int labels = 0;
  std::vector<int> cluster;                              // per item
  std::vector<std::vector<int>> gold;                    // [item] → labels
  std::vector<std::vector<std::vector<int>>> predicted;  // [seed][item] → labels
};

// Macro: unweighted mean of 2 TP / (2 TP + FP + FN) over all labels, 0 where the denominator is 0
// (scikit-learn's zero_division=0). Micro: the same from counts summed over labels.
enum class F1Average { kMacro, kMicro };

struct F1Score {
  Estimate estimate;  // mean over seeds; §1 with exact cluster-deletion values, logit scale
  BootstrapInterval bootstrap;  // crossed bootstrap re-aggregating the counts, as a cross-check
};

// INVALID_ARGUMENT for ragged input, no labels, or a gold label outside the list.
absl::StatusOr<F1Score> F1(const LabelAnswers& answers, F1Average average,
                           const BootstrapOptions& options);

// 1 where the predicted set equals the gold set, as a score table for ScoreInterval.
ScoreTable ExactSet(const LabelAnswers& answers);

}  // namespace scm::statistics
