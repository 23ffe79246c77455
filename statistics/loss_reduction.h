// How much of the base model's loss training has removed, with its interval over documents and
// seeds. Source: docs/statistics.md, §3. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "statistics/bootstrap.h"
#include "statistics/interval.h"

namespace scm::statistics {

// One document's summed loss (natural log) of the gold answers.
struct DocumentLoss {
  double base = 0;            // under the untouched base model
  std::vector<double> seeds;  // under each seed
  int answers = 0;            // gold answers in the document
};

// The base loss, counted at most `chance_loss` (mean ln k) an answer: dropping from an untrained
// format is not learning. A `chance_loss` of +∞ caps nothing.
double CappedBaseLoss(const DocumentLoss& document, double chance_loss);

// R = 1 − mean over seeds of Σ L_cs / Σ L_c0 with its linear interval, which ends at 1: no loss is
// below zero. A document is a cluster. With `chance_loss` it is counted from guessing, as the gate
// asks; with +∞ it is relative to the loss before training.
// A seed that a rule aborted enters with the capped base losses (intention to treat), so that it
// counts as no reduction. INVALID_ARGUMENT for no documents, no seeds, ragged rows, or negative or
// non-finite losses; a base loss of zero, or no spread at all, cannot be judged.
absl::StatusOr<Estimate> LossReduction(const std::vector<DocumentLoss>& documents,
                                       double chance_loss, double confidence = kConfidence);

// The crossed bootstrap of the same R, as a cross-check. `documents` as accepted by LossReduction;
// NaN limits otherwise.
BootstrapInterval BootstrapLossReduction(const std::vector<DocumentLoss>& documents,
                                         double chance_loss, const BootstrapOptions& options);

}  // namespace scm::statistics
