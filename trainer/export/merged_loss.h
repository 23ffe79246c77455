// An adapter trained over a quantised base is merged into the base as it is, which is another
// model: the loss on both says by how much.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "trainer/data/input_guard.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Validation losses by the definition of trainer/data/validation.h.
struct MergedLoss {
  std::string base;                 // what was merged into
  std::string trained_over;         // "nf4"
  std::optional<double> quantized;  // of the checkpoint over that; none was measured: nullopt
  double merged = 0;                // of the merged model as it was written
};

// Validates the model at `merged_dir`, which was made of `checkpoint`. Only where
// `spec.lora.quantize_base` is set. CANCELLED when `go_on` said no; errors of model and corpus.
absl::StatusOr<MergedLoss> MeasureMergedLoss(const JobSpec& spec, const JobInput& checkpoint,
                                             const std::string& merged_dir, InputGuard& guard,
                                             const std::function<bool()>& go_on);

Json MergedLossToJson(const MergedLoss& loss);
// For the README beside the merged model.
std::string DescribeMergedLoss(const MergedLoss& loss);

}  // namespace scm::trainer
