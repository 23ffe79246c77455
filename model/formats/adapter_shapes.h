// The rank and the scale that each adapted module of a LoRA adapter has, by peft's rules: those of
// the adapter, or of the first key of rank_pattern and alpha_pattern that names the module. A key
// is an expression for a whole name, or for what follows one of its dots. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace scm::model {

// What decides them. The keys of a pattern count in the order of the list.
struct AdapterNumbers {
  int64_t r = 8;
  double alpha = 8;
  bool use_rslora = false;  // scaled by alpha / √r instead of alpha / r
  std::vector<std::pair<std::string, int64_t>> rank_pattern = {};
  std::vector<std::pair<std::string, double>> alpha_pattern = {};
};

struct AdapterShape {
  int64_t r;
  double scale;  // that the product of the two matrices is multiplied by

  bool operator==(const AdapterShape& other) const { return r == other.r && scale == other.scale; }
};

// Of `modules` ("model.layers.0.self_attn.q_proj"), in their order. INVALID_ARGUMENT names a key
// that is no valid expression, or takes too long to compare.
absl::StatusOr<std::vector<AdapterShape>> AdapterShapes(const AdapterNumbers& numbers,
                                                        const std::vector<std::string>& modules);

// For an adapter that is to be trained: INVALID_ARGUMENT as above, and when a key is written with
// what Python and PCRE2 may read differently, names none of `modules`, or when the keys sorted, as
// peft stores them, would give a module another rank or alpha.
absl::Status CheckPatterns(const AdapterNumbers& numbers, const std::vector<std::string>& modules);

}  // namespace scm::model
