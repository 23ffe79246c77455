// Validation during training: one scoring pass gives the loss and the accuracy.
//
// Loss: mean negative log-likelihood a label, over the answer tokens of every gold answer of the
// validation items (over all tokens of the validation documents when the corpus has no items).
// Accuracy: share of the single-label items, of all tasks together, whose gold choice has the
// largest log-likelihood. Items with several gold answers count in the loss only. Where any
// log-likelihood is not finite nothing is ranked: the loss is NaN, and there is no accuracy.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/statusor.h"
#include "trainer/compute/model.h"
#include "trainer/data/validation_set.h"
#include "trainer/gang/communicator.h"
#include "trainer/protocol/reporter.h"

namespace scm::trainer {

struct ValidationResult {
  double loss = 0;
  // Absent without single-label items.
  std::optional<ValidationCounts> counts;
  double accuracy() const {
    return static_cast<double>(counts->correct) / static_cast<double>(counts->items);
  }
  Metrics ToMetrics() const;  // validation_loss and, where there is one, validation_accuracy
};

// CANCELLED when `go_on` said no, to any rank. The ranks of `gang` (null: one process) share the
// work, and all of them get the result, with the bits of one process.
absl::StatusOr<ValidationResult> Validate(const ValidationSet& set, int64_t score_tokens,
                                          const std::function<bool()>& go_on, LlamaModel* model,
                                          gang::Communicator* gang = nullptr);

}  // namespace scm::trainer
