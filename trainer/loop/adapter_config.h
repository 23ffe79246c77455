// adapter_config.json as peft writes and reads it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "model/llama_config.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

Json AdapterConfigJson(const LoraConfig& config, const std::string& base_model);

// Reads the file at `path` for an adapter of `base`; `only` of the result names every module that
// is adapted, `target_modules` the last parts of their names. Absent keys have peft's defaults (r
// and lora_alpha 8). INVALID_ARGUMENT names every key that means something scm's LoRA has not.
absl::StatusOr<LoraConfig> ReadAdapterConfig(const std::string& path,
                                             const model::LlamaConfig& base);

}  // namespace scm::trainer
