// Everything besides tensors that a run needs to go on exactly where it was. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "trainer/data/data_cursor.h"
#include "trainer/data/validation.h"

namespace scm::trainer {

struct TrainingState {
  int64_t step = 0;  // optimiser updates made
  DataCursor::Position cursor;
  int64_t tokens = 0;       // trained positions, padding not counted
  int64_t world_size = 1;   // ranks that trained it
  std::string fingerprint;  // of seed, data and batching; a resumed run must have the same

  // Validation so far.
  int64_t validated_step = -1;                 // the last step with a validation; −1 = none yet
  std::optional<ValidationResult> validation;  // the one of validated_step
  std::optional<ValidationResult> base;        // step 0, the untouched base
  std::optional<double> best_loss;             // lowest validation loss at a checkpoint
  int64_t best_step = -1;

  // The validation loss at this very step; nullopt where none was measured there.
  std::optional<double> loss_at_step() const {
    if (!validation.has_value() || validated_step != step) return std::nullopt;
    return validation->loss;
  }

  // EarlyStopping.
  std::optional<double> stopping_best;
  bool stopping_improved = false;
  int64_t stopping_waited = 0;
};

Json TrainingStateToJson(const TrainingState& state);
// INVALID_ARGUMENT naming what is missing. Doubles come back bit for bit.
absl::StatusOr<TrainingState> TrainingStateFromJson(const Json& json, const std::string& what);

}  // namespace scm::trainer
