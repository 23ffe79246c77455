// Adapters on disk as PEFT writes and reads them: a directory with adapter_config.json,
// adapter_model.safetensors and a README.md that says how to open it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/formats/safetensors.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

// Writes them into the existing directory `dir`, durably. `base_model` is what PEFT shows as
// base_model_name_or_path.
absl::Status WriteAdapter(const std::string& dir, const LoraConfig& config,
                          const std::string& base_model, LlamaModel* model, size_t adapter_set = 0);

// An adapter that fits its base: config and tensors name the same modules.
struct AdapterFile {
  LoraConfig config;  // `only` names every adapted module
  std::unique_ptr<model::SafetensorsFile> weights;
};

// The tensor of `module` ("model.layers.0.self_attn.q_proj") in such a file; part is 'A' or 'B'.
std::string AdapterTensorName(const std::string& module, char part);

// The one way in which adapters are read, to score as to merge. The modules are those that peft
// would adapt (adapter_targets.h), and each must have its two tensors; nothing may be left over.
// What scm's LoRA has not (DoRA, rsLoRA, rank patterns, trained biases or whole modules, adapters
// that change the base when peft loads them, …) is refused by name instead of being ignored.
absl::StatusOr<AdapterFile> OpenAdapter(const std::string& dir, const model::LlamaConfig& base);

// Fills an adapter set that `model` already has from such a file. INVALID_ARGUMENT when it has
// others, or of another shape; the adapters are then half-filled.
absl::Status ReadAdapterWeights(const std::string& dir, LlamaModel* model, size_t adapter_set = 0);

// Both: gives `model` the adapters of `dir`, whatever it had before.
absl::Status LoadAdapter(const std::string& dir, LlamaModel* model);

}  // namespace scm::trainer
