#include "trainer/compute/memory_plan.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <vector>

#include "trainer/compute/adapter_places.h"
#include "trainer/compute/llama_shape.h"
#include "trainer/compute/shared_pass.h"

namespace scm::trainer {
namespace {

constexpr int64_t kFloat = 4;

class Planner {
 public:
  Planner(const TrainingShape& shape, const CpuFunctions* table)
      : shape_(shape),
        c_(shape.config),
        table_(table),
        half_(shape.precision == Precision::kBFloat16),
        size_(half_ ? 2 : kFloat),
        q_(c_.heads * c_.head_dim),
        kv_(c_.kv_heads * c_.head_dim) {
    std::bitset<kModules> modules;
    for (const RunNeeds& run : shape.runs) {
      modules |= run.modules;
      trained_ += run.trained;
      largest_rank_ = std::max(largest_rank_, run.largest_rank);
    }
    adapted_modules_ = static_cast<int64_t>(modules.count());
  }

  MemoryPlan Plan() const {
    MemoryPlan plan;
    plan.weights = Weights();
    plan.adapters = plan.optimiser = 2 * kFloat * trained_;
    const int64_t rows = Rows(plan.weights);
    plan.activations = Activations(rows);
    plan.logits = Logits(rows);
    return plan;
  }

 private:
  // Of the largest pass.
  int64_t Rows(int64_t weights) const {
    int64_t largest = 0, all = 0;
    for (const RunNeeds& run : shape_.runs) {
      int64_t part = LargestPass(run.tokens, shape_.longest, shape_.pass_rows);
      if (shape_.recorded) part = RecordedLength(part);
      largest = std::max(largest, part);
      all += part;
    }
    const int64_t more =
        RowsToShare(static_cast<double>(weights), ActivationBytesOfARow(c_, size_));
    return std::min(all, largest + more);
  }

  // A matrix that is not quantised, as CpuKernels::Pack leaves it.
  int64_t Matrix(int64_t out, int64_t in) const {
    const Element type = half_ ? Element::kBFloat16 : Element::kFloat;
    const int64_t packed = table_ == nullptr ? 0 : table_->packed_floats(type, in, out) * kFloat;
    return packed > 0 ? packed : out * in * size_;
  }

  int64_t LayerMatrix(int64_t out, int64_t in) const {
    const int64_t values = out * in;
    const BaseQuantization& quantization = shape_.quantization;
    if (quantization.kind == BaseQuantization::Kind::kInt8) return values + out * kFloat;
    if (quantization.kind == BaseQuantization::Kind::kNone) return Matrix(out, in);
    const int64_t blocks = (values + kNf4Block - 1) / kNf4Block;
    const int64_t groups = (blocks + kNf4ScaleGroup - 1) / kNf4ScaleGroup;
    return (values + 1) / 2 +
           (quantization.double_quant ? blocks + groups * kFloat : blocks * kFloat);
  }

  int64_t Weights() const {
    int64_t layer = 2 * c_.hidden * size_;
    for (int module = 0; module < kModules; ++module) {
      layer += LayerMatrix(OutputSize(c_, module), InputSize(c_, module));
    }
    if (c_.qkv_bias) layer += (q_ + 2 * kv_) * size_;
    if (c_.qk_norm) layer += 2 * c_.head_dim * size_;
    const int64_t embedding = c_.tied_embeddings ? 0 : c_.vocabulary * c_.hidden * size_;
    return c_.layers * layer + c_.hidden * size_ + Matrix(c_.vocabulary, c_.hidden) + embedding;
  }

  int64_t Activations(int64_t rows) const {
    const int64_t input = c_.hidden * size_;
    int64_t layer = (c_.hidden + q_ + 2 * kv_ + q_ + 2 * c_.intermediate) * size_;
    layer += c_.heads * kFloat + adapted_modules_ * largest_rank_ * kFloat;
    if (c_.qk_norm) layer += (q_ + kv_) * size_;
    int64_t once = (2 * c_.hidden + 2 * c_.intermediate + q_ + 2 * kv_ + q_) * size_;
    once += (2 * c_.hidden + largest_rank_) * kFloat;
    if (c_.qk_norm) once += c_.head_dim * kFloat;
    return rows * (c_.layers * input + (shape_.recompute ? 1 : c_.layers) * layer + once);
  }

  int64_t Logits(int64_t rows) const {
    const int64_t logits = std::min(rows, kLossRows) * c_.vocabulary * kFloat;
    return logits + rows * c_.hidden * 2 * (size_ + kFloat);
  }

  const TrainingShape& shape_;
  const model::LlamaConfig& c_;
  const CpuFunctions* table_;
  const bool half_;
  const int64_t size_, q_, kv_;
  int64_t adapted_modules_ = 0, trained_ = 0, largest_rank_ = 0;
};

}  // namespace

RunNeeds NeedsOf(const model::LlamaConfig& config, const LoraConfig& lora, int64_t tokens) {
  RunNeeds needs;
  needs.tokens = tokens;
  const std::vector<AdapterPlace> places = AdapterPlaces(config, lora);
  std::vector<std::string> names;
  for (const AdapterPlace& place : places) names.push_back(place.name);
  // Patterns that do not go together are refused elsewhere.
  const auto shapes = model::AdapterShapes(lora.numbers(), names);
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t r = shapes.ok() ? (*shapes)[i].r : lora.r;
    const int module = places[i].module;
    needs.trained += r * (InputSize(config, module) + OutputSize(config, module));
    needs.largest_rank = std::max(needs.largest_rank, r);
    needs.modules |= 1u << module;
  }
  return needs;
}

MemoryPlan PlanMemory(const TrainingShape& shape, const CpuFunctions* table) {
  return Planner(shape, table).Plan();
}

}  // namespace scm::trainer
