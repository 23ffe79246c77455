// What a LoRA adapter is, without its tensors. Values only; free of libtorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/formats/adapter_shapes.h"

namespace scm::trainer {

struct LoraConfig {
  int64_t r = 16;
  double alpha = 32;
  double dropout = 0.1;
  // Any of q_proj k_proj v_proj o_proj gate_proj up_proj down_proj.
  std::vector<std::string> target_modules;
  // Of these only the ones named here ("model.layers.0.self_attn.q_proj"); empty = in every layer.
  std::vector<std::string> only = {};
  // Together with r and alpha they say what each module has: numbers(), the one source of ranks and
  // scales.
  bool use_rslora = false;
  std::vector<std::pair<std::string, int64_t>> rank_pattern = {};
  std::vector<std::pair<std::string, double>> alpha_pattern = {};

  model::AdapterNumbers numbers() const {
    return {r, alpha, use_rslora, rank_pattern, alpha_pattern};
  }
};

}  // namespace scm::trainer
