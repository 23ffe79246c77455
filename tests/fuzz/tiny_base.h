// A base model of the smallest shape, for fuzzers of the files that refer to one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/llama_config.h"

namespace scm::fuzz {

// 2 layers, hidden 4, grouped heads, tied embeddings, 8 tokens.
model::LlamaConfig TinyBase();
// The same as a config.json.
std::string TinyBaseJson();

struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
};
// A safetensors file with these tensors, F32, all values 0.
std::string ZeroTensors(const std::vector<NamedShape>& tensors);

}  // namespace scm::fuzz
