// Adapters on disk as PEFT writes and reads them: a directory with adapter_config.json and
// adapter_model.safetensors.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/model.h"

namespace scm {

// Writes both files into the existing directory `dir`, durably. `base_model` is what PEFT shows as
// base_model_name_or_path.
absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model);

// adapter_config.json of `dir`. What scm's LoRA has not (DoRA, rsLoRA, rank patterns, trained
// biases or whole modules, …) is refused by name instead of being ignored.
absl::StatusOr<LoraConfig> ReadAdapterConfig(const std::string& dir);

// Fills the adapters that `model` already has. INVALID_ARGUMENT when a tensor is missing, has
// another shape, or is one that the model has no adapter for; the adapters are then half-filled.
absl::Status ReadAdapterWeights(const std::string& dir, LlamaModel* model);

// Both: gives `model` the adapters of `dir`, whatever it had before.
absl::Status LoadAdapter(const std::string& dir, LlamaModel* model);

}  // namespace scm
