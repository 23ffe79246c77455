// Which linear layers of a model an adapter set has a pair for. Pure; free of libtorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/llama_config.h"
#include "trainer/compute/lora_config.h"

namespace scm::trainer {

struct AdapterPlace {
  std::string name;  // "model.layers.0.self_attn.q_proj"
  int64_t layer;
  int module;
};

// Layer after layer, in each in the order of Module.
std::vector<AdapterPlace> AdapterPlaces(const model::LlamaConfig& config, const LoraConfig& lora);

}  // namespace scm::trainer
