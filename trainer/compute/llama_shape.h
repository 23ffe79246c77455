// The linear layers of one layer of a Llama, and their sizes. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "model/llama_config.h"

namespace scm::trainer {

enum Module { kQ, kK, kV, kO, kGate, kUp, kDown, kModules };

inline constexpr const char* kModuleNames[kModules] = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                       "gate_proj", "up_proj", "down_proj"};

// kModules when no module has this name.
inline int ModuleByName(const std::string& name) {
  int module = 0;
  while (module < kModules && name != kModuleNames[module]) ++module;
  return module;
}

inline int64_t InputSize(const model::LlamaConfig& c, int module) {
  if (module == kO) return c.heads * c.head_dim;
  return module == kDown ? c.intermediate : c.hidden;
}

inline int64_t OutputSize(const model::LlamaConfig& c, int module) {
  switch (module) {
    case kQ:
      return c.heads * c.head_dim;
    case kK:
    case kV:
      return c.kv_heads * c.head_dim;
    case kGate:
    case kUp:
      return c.intermediate;
    default:
      return c.hidden;
  }
}

inline constexpr int64_t kLossRows = 256;  // rows of logits that exist at a time

}  // namespace scm::trainer
