// How many rows (tokens) one training pass has: a micro-batch is cut between its documents, because
// activations are kept for one pass at a time; and several runs share a pass as far as it costs
// little memory beside the frozen weights. Pure; free of libtorch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/llama_config.h"

namespace scm::trainer {

// A pass of a CPU: enough rows that what a product does for its matrix once is little beside what
// it does for each row.
inline constexpr int64_t kPassRows = 1024;
// Rows of the largest pass of micro-batches of `rows` rows, whose documents have at most `longest`.
inline int64_t LargestPass(int64_t rows, int64_t longest) {
  return std::min(rows, std::max(longest, kPassRows));
}

// Of the frozen weights' bytes: what further row blocks may add to the activations of one pass; and
// what they always may, because no process notices.
inline constexpr double kSharedPassShare = 0.2;
inline constexpr double kSharedPassFloor = 64 << 20;

// What a layer's activations take of one row (a token), kept for the backward pass, all layers.
// `element` is the size of their type.
inline int64_t ActivationBytesOfARow(const model::LlamaConfig& c, int64_t element) {
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  return c.layers * element * (2 * c.hidden + 2 * q + 2 * kv + 2 * c.intermediate);
}

// Rows that a pass may have beyond its largest row block.
inline int64_t RowsToShare(double weight_bytes, int64_t row_bytes) {
  const double bytes = std::max(kSharedPassFloor, kSharedPassShare * weight_bytes);
  return static_cast<int64_t>(bytes / static_cast<double>(row_bytes));
}

}  // namespace scm::trainer
