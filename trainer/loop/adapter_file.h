// Adapters on disk as PEFT writes and reads them: a directory with adapter_config.json,
// adapter_model.safetensors and a README.md that says how to open it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "trainer/compute/model.h"
#include "trainer/data/adapter_input.h"

namespace scm::trainer {

// Writes them into the existing directory `dir`, durably. `base_model` is what PEFT shows as
// base_model_name_or_path.
absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model, size_t adapter_set = 0);

// Fills an adapter set that `model` already has from such a file. INVALID_ARGUMENT when it has
// others, or of another shape; the adapters are then half-filled.
absl::Status ReadAdapterWeights(const std::string& dir, LlamaModel* model, size_t adapter_set = 0);

// Both: gives `model` the adapters of `dir`, whatever it had before.
absl::Status LoadAdapter(const std::string& dir, LlamaModel* model);

}  // namespace scm::trainer
