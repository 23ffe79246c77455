// Early stopping: the end of a run that has stopped improving. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "experiment/spec.h"

namespace scm::trainer {

// Counts validations without an improvement of at least `min_delta` over the best validation loss;
// `patience` of them in a row end the run. The untouched base (step 0) is the first best value.
// Patience only runs down once training has improved on the base: a run that never did is a failure
// for the abort rules to judge, and must not end as a success.
class EarlyStopping {
 public:
  explicit EarlyStopping(std::optional<EarlyStoppingSpec> rule) : rule_(rule) {}

  // A validation was made; returns whether the run shall end. Non-finite losses never improve.
  bool Observe(double validation_loss);
  // Whether the run shall end, as the last Observe said.
  bool Ended() const;

  // State for exact resume.
  std::optional<double> best;  // best by min_delta, not the plain minimum
  bool improved = false;       // on the first value seen
  int64_t waited = 0;          // validations since the last improvement

 private:
  std::optional<EarlyStoppingSpec> rule_;
};

}  // namespace scm::trainer
