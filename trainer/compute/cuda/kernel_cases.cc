#include "trainer/compute/cuda/kernel_cases.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>

#include "common/rng.h"

namespace scm::trainer {
namespace {

constexpr int64_t kMargin = 3;  // elements by which rows are longer than what is used of them

// Inputs of a case, in the order in which it asks for them.
class CaseInputs {
 public:
  CaseInputs(at::ScalarType type, const at::Device& device, uint64_t seed)
      : type_(type), device_(device), rng_(seed, "kernel_cases") {}

  at::Tensor Normal(at::IntArrayRef shape, at::ScalarType type) {
    at::Tensor values = at::empty(shape, at::kFloat);
    float* const to = values.mutable_data_ptr<float>();
    for (int64_t i = 0; i < values.numel(); ++i) to[i] = static_cast<float>(rng_.Normal());
    return values.to(device_, type);
  }
  at::Tensor Typed(at::IntArrayRef shape) { return Normal(shape, type_); }
  at::Tensor Wide(at::IntArrayRef shape) { return Normal(shape, at::kFloat); }
  // Rows that do not follow each other without a gap.
  at::Tensor Strided(int64_t rows, int64_t columns) {
    return Typed({rows, columns + kMargin}).narrow(1, 1, columns);
  }
  at::Tensor Below(int64_t bound, int64_t count) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(bound))));
    }
    return at::tensor(values, at::kLong).to(device_);
  }
  at::Tensor Zeros(at::IntArrayRef shape, at::ScalarType type) const {
    return at::zeros(shape, at::TensorOptions().dtype(type).device(device_));
  }
  Dropout Mask() {
    Dropout dropout = MakeDropout(0.3, rng_.Next64(), 7, 1, 2, 3);
    dropout.first_row = 11;
    return dropout;
  }

 private:
  at::ScalarType type_;
  at::Device device_;
  Philox rng_;
};

constexpr double kCaseEps = 1e-5;
constexpr float kCaseScale = 0.7f;

std::vector<at::Tensor> NormCase(OwnKernel kernel, Kernels& kernels, const CaseShape& s,
                                 CaseInputs& in) {
  const at::Tensor x = in.Strided(s.rows, s.columns), w = in.Typed({s.columns});
  if (kernel == OwnKernel::kRmsNorm) {
    at::Tensor y = in.Strided(s.rows, s.columns);
    kernels.RmsNorm(x, w, kCaseEps, y);
    return {y};
  }
  at::Tensor dx = in.Wide({s.rows, s.columns});
  at::Tensor again = in.Wide({s.rows, s.columns});
  kernels.RmsNormBackward(in.Strided(s.rows, s.columns), x, w, kCaseEps, dx);
  kernels.RmsNormBackward(in.Wide({s.rows, s.columns}), x, w, kCaseEps, again);
  return {dx, again};
}

std::vector<at::Tensor> LoraCase(OwnKernel kernel, Kernels& kernels, const CaseShape& s,
                                 CaseInputs& in) {
  const at::Tensor x = in.Strided(s.rows, s.columns), a = in.Wide({s.rank, s.columns});
  const at::Tensor u = in.Wide({s.rows, s.rank}), b = in.Wide({s.columns, s.rank});
  const Dropout mask = in.Mask();
  switch (kernel) {
    case OwnKernel::kLoraDown: {
      at::Tensor down = in.Zeros({s.rows, s.rank}, at::kFloat);
      kernels.LoraDown(x, a, mask, down);
      return {down};
    }
    case OwnKernel::kLoraUpBackward: {
      at::Tensor du = in.Zeros({s.rows, s.rank}, at::kFloat);
      kernels.LoraUpBackward(x, b, kCaseScale, du);
      return {du};
    }
    case OwnKernel::kLoraGradients: {
      at::Tensor grad_a = in.Wide({s.rank, s.columns}), grad_b = in.Wide({s.columns, s.rank});
      const at::Tensor du = in.Wide({s.rows, s.rank}), dy = in.Strided(s.rows, s.columns);
      kernels.LoraGradients(dy, u, kCaseScale, du, x, mask, grad_a, grad_b);
      return {grad_a, grad_b};
    }
    default: {
      at::Tensor dx = in.Strided(s.rows, s.columns), wide = in.Wide({s.rows, s.columns});
      kernels.LoraDownBackward(u, a, mask, dx);
      kernels.LoraDownBackward(u, a, mask, wide);
      return {dx, wide};
    }
  }
}

std::vector<at::Tensor> LinearCase(Kernels& kernels, const CaseShape& s, CaseInputs& in) {
  const int64_t depth = s.rank + 5;
  const at::Tensor x = in.Strided(s.rows, depth);
  const FrozenMatrix w(in.Typed({s.columns, depth}));
  LoraTerm lora{in.Wide({s.rows, s.rank}), in.Wide({s.columns, s.rank}), kCaseScale};
  at::Tensor y = in.Strided(s.rows, s.columns), sum = in.Strided(s.rows, s.columns);
  at::Tensor product = in.Strided(s.rows, s.columns), added = in.Strided(s.rows, s.columns);
  const at::Tensor residual = in.Strided(s.rows, s.columns);
  at::Tensor logits = in.Wide({s.rows, s.columns});
  kernels.Linear(x, w, &lora, at::Tensor(), y);
  kernels.Linear(x, w, &lora, sum, sum);
  kernels.Linear(x, w, nullptr, at::Tensor(), product);
  kernels.Linear(x, w, nullptr, residual, added);
  kernels.Linear(x, w, nullptr, at::Tensor(), logits);
  return {y, sum, product, added, logits};
}

// Gradients of the model's type and fp32, from dy of both, one term and several.
std::vector<at::Tensor> LinearBackwardCase(Kernels& kernels, const CaseShape& s, CaseInputs& in) {
  const int64_t depth = s.rank + 5;
  const FrozenMatrix w(in.Typed({depth, s.columns})), other(in.Typed({depth + 2, s.columns}));
  const at::Tensor dy = in.Strided(s.rows, depth), wide = in.Wide({s.rows, depth + 2});
  at::Tensor one = in.Strided(s.rows, s.columns), sum = in.Wide({s.rows, s.columns});
  kernels.LinearBackward({{wide, other}}, one);
  kernels.LinearBackward({{dy, w}, {wide, other}, {dy, w}}, sum);
  return {one, sum};
}

FrozenMatrix QuantizedCopy(const at::Tensor& w, const BaseQuantization& how, at::ScalarType type) {
  const at::Tensor host = w.to(at::kCPU);
  auto made = QuantizedMatrix::Make(host.const_data_ptr<float>(), host.size(0), host.size(1), how);
  TORCH_CHECK(made.ok(), std::string(made.status().message()));
  return FrozenMatrix(std::make_shared<const QuantizedMatrix>(*std::move(made)), type);
}

std::vector<at::Tensor> QuantizedCase(Kernels& kernels, const CaseShape& s, CaseInputs& in,
                                      at::ScalarType type) {
  using Kind = BaseQuantization::Kind;
  const int64_t depth = s.rank + 5;
  std::vector<at::Tensor> results;
  for (const BaseQuantization& how : std::initializer_list<BaseQuantization>{
           {Kind::kNf4, true}, {Kind::kNf4, false}, {Kind::kInt8, true}}) {
    FrozenMatrix w = QuantizedCopy(in.Wide({s.columns, depth}), how, type);
    kernels.Pack(&w);
    const at::Tensor x = in.Strided(s.rows, depth), dy = in.Strided(s.rows, s.columns);
    at::Tensor y = in.Strided(s.rows, s.columns), dx = in.Wide({s.rows, depth});
    kernels.Linear(x, w, nullptr, at::Tensor(), y);
    kernels.LinearBackward({{dy, w}, {dy, w}}, dx);
    results.insert(results.end(), {y, dx});
  }
  return results;
}

// Documents of one token, of half the rest, and of what is left then; queries share keys and values
// in ones, threes and fours.
std::vector<at::Tensor> AttentionCase(OwnKernel kernel, Kernels& kernels, const CaseShape& s,
                                      CaseInputs& in) {
  std::vector<TokenSpan> documents = {{0, 1, 0, 0}};
  const int64_t half = (s.rows - 1) / 2;
  if (half > 0) documents.push_back({1, half, 0, 0});
  if (s.rows - 1 - half > 0) documents.push_back({1 + half, s.rows - 1 - half, 0, 0});
  std::vector<at::Tensor> results;
  for (const int64_t sharing : {1, 3, 4}) {
    const AttentionShape shape{2 * sharing, 2, 8 * (1 + s.rank % 4)};
    const int64_t heads = shape.heads * shape.head_dim;
    const at::Tensor qkv = in.Strided(s.rows, heads + 2 * shape.kv_heads * shape.head_dim);
    at::Tensor out = in.Typed({s.rows, heads}), lse = in.Wide({shape.heads, s.rows});
    at::Tensor unwanted;
    kernels.Attention(qkv, shape, documents, out, unwanted);
    kernels.Attention(qkv, shape, documents, out, lse);
    if (kernel == OwnKernel::kAttention) {
      results.insert(results.end(), {out, lse});
      continue;
    }
    at::Tensor grad_qkv = in.Strided(s.rows, qkv.size(1));
    kernels.AttentionBackward(qkv, out, lse, in.Typed({s.rows, heads}), shape, documents, grad_qkv);
    for (const int64_t part : {int64_t{0}, shape.heads, shape.heads + shape.kv_heads}) {
      const int64_t count = part == 0 ? shape.heads : shape.kv_heads;
      results.push_back(grad_qkv.narrow(1, part * shape.head_dim, count * shape.head_dim));
    }
  }
  return results;
}

std::vector<at::Tensor> RopeCase(Kernels& kernels, const CaseShape& s, CaseInputs& in) {
  const int64_t half = s.rank, heads = s.columns / (2 * half), positions = 9;
  at::Tensor x = in.Strided(s.rows, s.columns), back = in.Strided(s.rows, s.columns);
  const at::Tensor cos = in.Wide({positions, half}), sin = in.Wide({positions, half});
  const at::Tensor at = in.Below(positions, s.rows).to(at::kInt);
  kernels.Rope(x, heads, 2 * half, at, cos, sin, false);
  kernels.Rope(back, heads, 2 * half, at, cos, sin, true);
  return {x, back};
}

std::vector<at::Tensor> SwiGluCase(OwnKernel kernel, Kernels& kernels, const CaseShape& s,
                                   CaseInputs& in) {
  at::Tensor gate = in.Typed({s.rows, s.columns}), up = in.Typed({s.rows, s.columns});
  at::Tensor act = in.Typed({s.rows, s.columns});
  if (kernel == OwnKernel::kSwiGluBackward) {
    kernels.SwiGluBackward(act, gate, up);
    return {gate, up};
  }
  kernels.SwiGlu(gate, up, act);
  return {act};
}

std::vector<at::Tensor> LossCase(OwnKernel kernel, Kernels& kernels, const CaseShape& s,
                                 CaseInputs& in) {
  at::Tensor logits = in.Wide({s.rows, s.columns}).mul_(3);
  at::Tensor sums = in.Zeros({s.rows}, at::kFloat);
  if (kernel == OwnKernel::kLogSumExp) {
    at::Tensor best = in.Zeros({s.rows}, at::kLong);
    kernels.LogSumExp(logits, sums, best);
    return {sums, best};
  }
  at::Tensor labels = in.Below(s.columns, s.rows);
  labels.select(0, s.rows / 2).fill_(-1);
  kernels.CrossEntropy(logits, labels, 0.25, sums);
  return {sums, logits};
}

}  // namespace

const char* NameOf(OwnKernel kernel) {
  constexpr const char* kNames[kOwnKernels] = {"rms_norm",
                                               "rms_norm_backward",
                                               "linear",
                                               "lora_down",
                                               "lora_up_backward",
                                               "lora_gradients",
                                               "lora_down_backward",
                                               "rope",
                                               "swiglu",
                                               "swiglu_backward",
                                               "cross_entropy",
                                               "log_sum_exp",
                                               "linear_backward",
                                               "quantized",
                                               "attention",
                                               "attention_backward"};
  return kNames[static_cast<int>(kernel)];
}

std::vector<at::Tensor> RunCase(OwnKernel kernel, Kernels& kernels, const CaseShape& shape,
                                at::ScalarType type, const at::Device& device, uint64_t seed) {
  CaseInputs in(type, device, seed);
  switch (kernel) {
    case OwnKernel::kRmsNorm:
    case OwnKernel::kRmsNormBackward:
      return NormCase(kernel, kernels, shape, in);
    case OwnKernel::kLinear:
      return LinearCase(kernels, shape, in);
    case OwnKernel::kLinearBackward:
      return LinearBackwardCase(kernels, shape, in);
    case OwnKernel::kQuantized:
      return QuantizedCase(kernels, shape, in, type);
    case OwnKernel::kAttention:
    case OwnKernel::kAttentionBackward:
      return AttentionCase(kernel, kernels, shape, in);
    case OwnKernel::kRope:
      return RopeCase(kernels, shape, in);
    case OwnKernel::kSwiGlu:
    case OwnKernel::kSwiGluBackward:
      return SwiGluCase(kernel, kernels, shape, in);
    case OwnKernel::kCrossEntropy:
    case OwnKernel::kLogSumExp:
      return LossCase(kernel, kernels, shape, in);
    default:
      return LoraCase(kernel, kernels, shape, in);
  }
}

double LargestDifference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const at::Tensor x = a[i].to(at::kDouble), y = b[i].to(at::kDouble);
    const double difference =
        (x - y).norm().item<double>() / std::max(1e-30, y.norm().item<double>());
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}

double LargestAllowed(OwnKernel kernel, at::ScalarType type) {
  if (type == at::kFloat) return 1e-5;
  switch (kernel) {
    case OwnKernel::kAttention:
    case OwnKernel::kAttentionBackward:
      return 2e-2;
    case OwnKernel::kLinearBackward:
      return 1e-2;
    default:
      return 4e-3;
  }
}

}  // namespace scm::trainer
