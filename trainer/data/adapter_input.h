// An adapter on disk as peft writes it, opened to be read: whether it can be, what it adapts and
// whether it fits a base. Free of libtorch, so that scmctl can look before anything is submitted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiment/spec.h"
#include "model/formats/safetensors.h"
#include "model/llama_config.h"
#include "trainer/compute/lora_config.h"
#include "trainer/compute/quantize/quantized_matrix.h"

namespace scm::trainer {

// An adapter that fits its base: config and tensors name the same modules.
struct AdapterFile {
  LoraConfig config;                        // `only` names every adapted module
  std::vector<model::AdapterShape> shapes;  // of the modules in `only`
  std::unique_ptr<model::SafetensorsFile> weights;
};

// The tensor of `module` ("model.layers.0.self_attn.q_proj") in such a file; part is 'A' or 'B'.
std::string AdapterTensorName(const std::string& module, char part);

// The one way in which adapters are read, to score, to merge and to train on. The modules are those
// that peft would adapt (adapter_targets.h), and each must have its two tensors; nothing may be
// left over. What scm's LoRA has not (DoRA, trained biases or whole modules, adapters that change
// the base when peft loads them, …) is refused by name instead of being ignored.
absl::StatusOr<AdapterFile> OpenAdapter(const std::string& dir, const model::LlamaConfig& base);

// The LoRA settings of the experiment as the model takes them.
LoraConfig ToLoraConfig(const LoraSpec& spec);
// lora.quantize_base and lora.double_quant.
BaseQuantization ToBaseQuantization(const LoraSpec& spec);

// lora.init, which must have the modules, ranks and scales that the experiment says. The error
// begins with "init: " and says what to write.
absl::StatusOr<AdapterFile> OpenInit(const LoraSpec& spec, const model::LlamaConfig& base);

// For an adapter that is to be trained on `base`: INVALID_ARGUMENT when a pattern names no module
// or would be another when its keys are sorted.
absl::Status CheckLoraPatterns(const LoraSpec& spec, const model::LlamaConfig& base);

}  // namespace scm::trainer
