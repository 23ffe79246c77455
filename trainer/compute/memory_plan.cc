#include "trainer/compute/memory_plan.h"

#include <algorithm>

#include "trainer/compute/llama_shape.h"

namespace scm::trainer {
namespace {

constexpr int64_t kFloat = 4;

class Planner {
 public:
  Planner(const model::LlamaConfig& config, const LoraConfig& lora, Precision precision,
          const BaseQuantization& quantization, const CpuFunctions* table)
      : c_(config),
        lora_(lora),
        quantization_(quantization),
        table_(table),
        half_(precision == Precision::kBFloat16),
        size_(half_ ? 2 : kFloat),
        q_(config.heads * config.head_dim),
        kv_(config.kv_heads * config.head_dim) {}

  MemoryPlan Plan(int64_t tokens) const {
    MemoryPlan plan;
    plan.weights = Weights();
    plan.adapters = plan.optimiser = 2 * kFloat * AdapterValues();
    plan.activations = Activations(tokens);
    plan.logits = Logits(tokens);
    return plan;
  }

 private:
  // A matrix that is not quantised, as CpuKernels::Pack leaves it.
  int64_t Matrix(int64_t out, int64_t in, bool plain_stays) const {
    const int64_t plain = out * in * size_;
    const Element type = half_ ? Element::kBFloat16 : Element::kFloat;
    const int64_t packed = table_ == nullptr ? 0 : table_->packed_floats(type, in, out) * kFloat;
    const int64_t back = table_ == nullptr ? 0 : table_->packed_floats(type, out, in) * kFloat;
    if (packed == 0 || back == 0) return plain;
    return packed + (half_ ? 0 : back) + (plain_stays ? plain : 0);
  }

  int64_t LayerMatrix(int64_t out, int64_t in) const {
    const int64_t values = out * in;
    if (quantization_.kind == BaseQuantization::Kind::kInt8) return values + out * kFloat;
    if (quantization_.kind == BaseQuantization::Kind::kNone) return Matrix(out, in, false);
    const int64_t blocks = (values + kNf4Block - 1) / kNf4Block;
    const int64_t groups = (blocks + kNf4ScaleGroup - 1) / kNf4ScaleGroup;
    return (values + 1) / 2 +
           (quantization_.double_quant ? blocks + groups * kFloat : blocks * kFloat);
  }

  int64_t Weights() const {
    int64_t layer = 2 * c_.hidden * size_;
    for (int module = 0; module < kModules; ++module) {
      layer += LayerMatrix(OutputSize(c_, module), InputSize(c_, module));
    }
    if (c_.qkv_bias) layer += (q_ + 2 * kv_) * size_;
    if (c_.qk_norm) layer += 2 * c_.head_dim * size_;
    const int64_t embedding = c_.vocabulary * c_.hidden * size_;
    const int64_t head = Matrix(c_.vocabulary, c_.hidden, c_.tied_embeddings);
    return c_.layers * layer + c_.hidden * size_ + head + (c_.tied_embeddings ? 0 : embedding);
  }

  int64_t AdapterValues() const {
    int64_t values = 0;
    for (const std::string& name : lora_.target_modules) {
      const int module = ModuleByName(name);
      values += lora_.r * (InputSize(c_, module) + OutputSize(c_, module));
    }
    return c_.layers * values;
  }

  int64_t Activations(int64_t tokens) const {
    const auto modules = static_cast<int64_t>(lora_.target_modules.size());
    int64_t layer = (2 * c_.hidden + q_ + 2 * kv_ + q_ + 2 * c_.intermediate) * size_;
    layer += c_.heads * kFloat + modules * lora_.r * kFloat;
    if (c_.qk_norm) layer += (q_ + kv_) * size_;
    int64_t once = (2 * c_.hidden + 2 * c_.intermediate + q_ + 2 * kv_ + q_) * size_;
    once += (2 * c_.hidden + lora_.r) * kFloat;
    if (c_.qk_norm) once += c_.head_dim * kFloat;
    return tokens * (c_.layers * layer + once);
  }

  int64_t Logits(int64_t tokens) const {
    const int64_t rows = std::min(tokens, kLossRows) * c_.vocabulary * kFloat;
    return rows + tokens * c_.hidden * 2 * (size_ + kFloat);
  }

  const model::LlamaConfig& c_;
  const LoraConfig& lora_;
  const BaseQuantization& quantization_;
  const CpuFunctions* table_;
  const bool half_;
  const int64_t size_, q_, kv_;
};

}  // namespace

MemoryPlan PlanMemory(const model::LlamaConfig& config, const LoraConfig& lora, Precision precision,
                      const BaseQuantization& quantization, int64_t tokens,
                      const CpuFunctions* table) {
  return Planner(config, lora, precision, quantization, table).Plan(tokens);
}

}  // namespace scm::trainer
