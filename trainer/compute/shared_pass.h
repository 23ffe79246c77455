// How many rows (tokens) one training pass has: a micro-batch is cut between its documents, because
// activations are kept for one pass at a time; and several runs share a pass as far as it costs
// little memory beside the frozen weights. Pure; free of libtorch.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "model/llama_config.h"

namespace scm::trainer {

// A pass of a CPU: enough rows that what a product does for its matrix once is little beside what
// it does for each row.
inline constexpr int64_t kPassRows = 1024;
// Rows of the largest pass of micro-batches of `rows` rows, whose documents have at most `longest`,
// and which are cut at `most`.
inline int64_t LargestPass(int64_t rows, int64_t longest, int64_t most = kPassRows) {
  return std::min(rows, std::max(longest, most));
}

// How many rows, or labels, a pass that is recorded has for `count` of them: one of few lengths,
// four an octave, at least 16.
inline int64_t RecordedLength(int64_t count) {
  constexpr int64_t kLeast = 16;
  const int64_t octave = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(count | 1)));
  const int64_t step = std::max(kLeast, octave / 4);
  return std::max(kLeast, (count + step - 1) / step * step);
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
