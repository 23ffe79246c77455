// Shared helpers of the compute tests.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/rng.h"
#include "tests/trainer/compute/fake_source.h"
#include "trainer/compute/llama_model.h"

namespace scm::trainer {

inline const std::vector<std::string>& AllModules() {
  static const auto* modules = new std::vector<std::string>{
      "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};
  return *modules;
}

// ‖a − b‖ / ‖b‖.
inline double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).norm().item<double>() / std::max(1e-30, y.norm().item<double>());
}

inline bool SameBits(const at::Tensor& a, const at::Tensor& b) { return at::equal(a, b); }

// Random tokens; one segment a row of the given lengths, padded to the longest, every
// `label_every`-th position labelled with its next token.
inline Batch RowsOfLengths(const std::vector<int64_t>& lengths, int64_t vocabulary, uint64_t seed,
                           int64_t label_every = 1, int64_t extra_padding = 0) {
  Batch batch;
  batch.rows = static_cast<int64_t>(lengths.size());
  for (int64_t n : lengths) batch.length = std::max(batch.length, n);
  batch.length += extra_padding;
  for (size_t row = 0; row < lengths.size(); ++row) {
    Philox rng(seed, "batch", row);
    std::vector<int32_t> text;
    for (int64_t i = 0; i <= lengths[row]; ++i) {
      text.push_back(static_cast<int32_t>(rng.Below(static_cast<uint64_t>(vocabulary))));
    }
    for (int64_t i = 0; i < batch.length; ++i) {
      const bool real = i < lengths[row];
      batch.tokens.push_back(real ? text[static_cast<size_t>(i)] : 0);
      batch.segments.push_back(real ? 0 : -1);
      const bool labelled = real && i % label_every == 0;
      batch.labels.push_back(labelled ? text[static_cast<size_t>(i + 1)] : -100);
    }
  }
  return batch;
}

// The rows of a batch one after the other in a single row, as segments 0, 1, …
inline Batch Packed(const Batch& rows, int64_t padding) {
  Batch packed;
  packed.rows = 1;
  for (int64_t row = 0; row < rows.rows; ++row) {
    for (int64_t i = 0; i < rows.length; ++i) {
      const size_t at = static_cast<size_t>(row * rows.length + i);
      if (rows.segments[at] < 0) continue;
      packed.tokens.push_back(rows.tokens[at]);
      packed.segments.push_back(static_cast<int32_t>(row));
      packed.labels.push_back(rows.labels[at]);
    }
  }
  packed.tokens.resize(packed.tokens.size() + static_cast<size_t>(padding), 0);
  packed.segments.resize(packed.tokens.size(), -1);
  packed.labels.resize(packed.tokens.size(), -100);
  packed.length = static_cast<int64_t>(packed.tokens.size());
  return packed;
}

inline LoraConfig MakeLora(const std::vector<std::string>& modules, double dropout = 0.2,
                           int64_t r = 5) {
  LoraConfig lora;
  lora.r = r;
  lora.alpha = 7;
  lora.dropout = dropout;
  lora.target_modules = modules;
  return lora;
}

// A model with adapters whose B is random too, so that every gradient is non-zero.
inline std::unique_ptr<LlamaModel> MakeModel(const FakeSource& source, const LoraConfig& lora,
                                             Precision precision = Precision::kFloat32,
                                             std::unique_ptr<Kernels> kernels = nullptr) {
  if (kernels == nullptr) kernels = MakeCpuKernels();
  auto model = MakeLlamaModelWith(source, precision, "cpu", std::move(kernels));
  EXPECT_TRUE(model.ok()) << model.status();
  const absl::Status added = (*model)->AddLora(lora, 3);
  EXPECT_TRUE(added.ok()) << added;
  uint64_t index = 0;
  for (AdapterPair& pair : (*model)->adapters()) {
    Philox rng(17, "test_b", index++);
    for (int64_t i = 0; i < pair.b.numel(); ++i) {
      pair.b.mutable_data_ptr<float>()[i] = static_cast<float>(0.1 * rng.Normal());
    }
  }
  return std::move(*model);
}

}  // namespace scm::trainer
