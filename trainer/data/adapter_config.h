// adapter_config.json as peft writes and reads it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "model/llama_config.h"
#include "trainer/compute/lora_config.h"

namespace scm::trainer {

inline constexpr char kAdapterConfigName[] = "adapter_config.json";
inline constexpr char kAdapterWeightsName[] = "adapter_model.safetensors";

// With the keys of its patterns in their order, which peft keeps when it reads them.
Json AdapterConfigJson(const LoraConfig& config, const std::string& base_model);

// Reads the file at `path` for an adapter of `base`; `only` of the result names every module that
// is adapted, `target_modules` the last parts of their names. Absent keys have peft's defaults (r
// and lora_alpha 8). INVALID_ARGUMENT names every key that means something scm's LoRA has not.
absl::StatusOr<LoraConfig> ReadAdapterConfig(const std::string& path,
                                             const model::LlamaConfig& base);

}  // namespace scm::trainer
