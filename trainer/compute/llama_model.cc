#include "trainer/compute/llama_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rng.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "trainer/compute/rotary.h"

namespace scm::trainer {
namespace {

constexpr int64_t kScoreRows = 256;  // rows of logits that exist at a time

absl::Status CheckLora(const LoraConfig& lora) {
  if (lora.r < 1) return absl::InvalidArgumentError("lora.r must be at least 1");
  if (!(lora.dropout >= 0 && lora.dropout < 1)) {
    return absl::InvalidArgumentError("lora.dropout must be in [0, 1)");
  }
  if (lora.target_modules.empty()) {
    return absl::InvalidArgumentError("lora.target_modules names no module");
  }
  for (const std::string& name : lora.target_modules) {
    if (ModuleByName(name) == kModules) {
      return absl::InvalidArgumentError(
          absl::StrCat("lora.target_modules: \"", name, "\" is none of ",
                       absl::StrJoin(kModuleNames, kModuleNames + kModules, ", ")));
    }
  }
  return absl::OkStatus();
}

// What libtorch throws becomes a status.
template <typename Result>
Result Guard(const std::function<Result()>& work) {
  try {
    return work();
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    const bool memory = what.find("memory") != std::string::npos;
    return memory ? absl::ResourceExhaustedError(what) : absl::InternalError(what);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  }
}

}  // namespace

LlamaModelImpl::LlamaModelImpl(const model::LlamaConfig& config, LlamaWeights weights,
                               at::ScalarType type, const at::Device& device,
                               std::unique_ptr<Kernels> kernels,
                               const BaseQuantization& quantization)
    : config_(config),
      weights_(std::move(weights)),
      type_(type),
      device_(device),
      kernels_(std::move(kernels)),
      shape_{config.heads, config.kv_heads, config.head_dim},
      quantization_(quantization),
      adapter_index_(static_cast<size_t>(config.layers * kModules), -1),
      states_(static_cast<size_t>(config.layers)) {
  PackWeights(false);
}

void LlamaModelImpl::PackWeights(bool backward) {
  for (LayerWeights& w : weights_.layers) {
    for (FrozenMatrix* matrix : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      kernels_->Pack(matrix, backward);
    }
  }
  kernels_->Pack(&weights_.head, backward);
}

QuantizedBase LlamaModelImpl::quantized_base() const {
  QuantizedBase base;
  base.quantization = quantization_;
  for (const LayerWeights& w : weights_.layers) {
    for (const FrozenMatrix* matrix : {&w.q, &w.k, &w.v, &w.o, &w.gate, &w.up, &w.down}) {
      if (matrix->quantized == nullptr) continue;
      ++base.matrices;
      base.parameters += matrix->out * matrix->in;
      base.bytes += matrix->quantized->bytes();
      base.blocks += matrix->quantized->blocks();
      base.inverted_blocks += matrix->quantized->inverted_blocks();
    }
  }
  return base;
}

absl::Status LlamaModelImpl::AddLora(const LoraConfig& config, uint64_t seed) {
  SCM_RETURN_IF_ERROR(CheckLora(config));
  lora_ = config;
  adapters_.clear();
  std::fill(adapter_index_.begin(), adapter_index_.end(), -1);
  for (LayerState& state : states_) state = LayerState();
  work_ = Workspace();
  const std::set<std::string> only(config.only.begin(), config.only.end());
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    for (int m = 0; m < kModules; ++m) {
      const auto& targets = config.target_modules;
      if (std::find(targets.begin(), targets.end(), kModuleNames[m]) == targets.end()) continue;
      const std::string name = absl::StrCat("model.layers.", layer,
                                            m < kGate ? ".self_attn." : ".mlp.", kModuleNames[m]);
      if (!only.empty() && only.count(name) == 0) continue;
      const int64_t in = InputSize(config_, m), out = OutputSize(config_, m);
      AdapterPair pair;
      pair.name = absl::StrCat("base_model.model.", name);
      at::Tensor a = at::empty({config.r, in}, at::kFloat);
      Philox rng(seed, "lora_init", static_cast<uint64_t>(layer * kModules + m));
      const double bound = 1.0 / std::sqrt(static_cast<double>(in));
      float* values = a.mutable_data_ptr<float>();
      for (int64_t i = 0; i < config.r * in; ++i) {
        values[i] = static_cast<float>((2 * rng.Uniform() - 1) * bound);
      }
      pair.a = a.to(device_);
      pair.b = at::zeros({out, config.r}, pair.a.options());
      pair.grad_a = at::zeros_like(pair.a);
      pair.grad_b = at::zeros_like(pair.b);
      adapter_index_[static_cast<size_t>(layer * kModules + m)] =
          static_cast<int64_t>(adapters_.size());
      adapters_.push_back(std::move(pair));
    }
  }
  return absl::OkStatus();
}

AdapterPair* LlamaModelImpl::Adapter(int64_t layer, Module module) {
  const int64_t index = adapter_index_[static_cast<size_t>(layer * kModules + module)];
  return index < 0 ? nullptr : &adapters_[static_cast<size_t>(index)];
}
bool LlamaModelImpl::AnyAdapter(int64_t layer, std::initializer_list<Module> modules) {
  return std::any_of(modules.begin(), modules.end(),
                     [&](Module m) { return Adapter(layer, m) != nullptr; });
}

at::Tensor LlamaModelImpl::Empty(std::initializer_list<int64_t> shape, at::ScalarType type) const {
  return at::empty(at::IntArrayRef(shape), at::TensorOptions().dtype(type).device(device_));
}

void LlamaModelImpl::Reserve(LayerState* s, int64_t tokens) {
  if (tokens <= s->capacity) return;
  *s = LayerState();
  const int64_t q = shape_.heads * shape_.head_dim, kv = shape_.kv_heads * shape_.head_dim;
  s->x = Empty({tokens, config_.hidden}, type_);
  s->x_mid = Empty({tokens, config_.hidden}, type_);
  s->qkv = Empty({tokens, q + 2 * kv}, type_);
  if (config_.qk_norm) ReserveHeadNorms(s, tokens);
  s->attention = Empty({tokens, q}, type_);
  s->lse = Empty({shape_.heads * tokens}, at::kFloat);
  s->gate = Empty({tokens, config_.intermediate}, type_);
  s->up = Empty({tokens, config_.intermediate}, type_);
  // States are shared by layers that keep nothing, and an adapter may leave layers out.
  for (int64_t i = 0; i < config_.layers * kModules; ++i) {
    if (adapter_index_[static_cast<size_t>(i)] < 0) continue;
    at::Tensor& u = s->u[static_cast<size_t>(i % kModules)];
    if (!u.defined()) u = Empty({tokens, lora_.r}, at::kFloat);
  }
  s->capacity = tokens;
}

void LlamaModelImpl::ReserveForward(int64_t tokens) {
  if (tokens <= work_.capacity) return;
  work_ = Workspace();
  work_.normed = Empty({tokens, config_.hidden}, type_);
  work_.act = Empty({tokens, config_.intermediate}, type_);
  work_.x_out = Empty({tokens, config_.hidden}, type_);
  work_.capacity = tokens;
}

void LlamaModelImpl::ReserveBackward(int64_t tokens) {
  ReserveForward(tokens);
  if (work_.grad_x.defined()) return;
  PackWeights(true);
  const int64_t n = work_.capacity, q = shape_.heads * shape_.head_dim;
  work_.grad_act = Empty({n, config_.intermediate}, type_);
  work_.grad_qkv = Empty({n, q + 2 * shape_.kv_heads * shape_.head_dim}, type_);
  work_.grad_attention = Empty({n, q}, type_);
  if (config_.qk_norm) work_.grad_head = Empty({n, shape_.head_dim}, at::kFloat);
  work_.grad_x = Empty({n, config_.hidden}, at::kFloat);
  work_.grad_normed = Empty({n, config_.hidden}, at::kFloat);
  work_.du = Empty({n, lora_.r}, at::kFloat);
}

void LlamaModelImpl::ReserveRotary(const TokenPlan& plan) {
  int64_t needed = 1;
  for (int32_t position : plan.positions) needed = std::max<int64_t>(needed, position + 1);
  if (cos_.defined() && cos_.size(0) >= needed) return;
  needed = (needed + 255) / 256 * 256;
  const RotaryTables tables = MakeRotaryTables(config_, needed);
  const int64_t half = config_.head_dim / 2;
  cos_ = at::tensor(tables.cos, at::kFloat).view({needed, half}).to(device_);
  sin_ = at::tensor(tables.sin, at::kFloat).view({needed, half}).to(device_);
}

absl::StatusOr<TokenPlan> LlamaModelImpl::Plan(const Batch& batch, bool share_prefixes) const {
  SCM_ASSIGN_OR_RETURN(TokenPlan plan, MakeTokenPlan(batch, config_.vocabulary, share_prefixes));
  int64_t longest = 0;
  for (int32_t position : plan.positions) longest = std::max<int64_t>(longest, position + 1);
  SCM_RETURN_IF_ERROR(model::CheckWindow(config_, longest, "the model"));
  return plan;
}

LlamaModelImpl::Pass LlamaModelImpl::StartPass(const TokenPlan& plan, const StepKey* key,
                                               bool keep) {
  ReserveRotary(plan);
  return {&plan, at::tensor(plan.positions, at::kInt).to(device_), key, keep};
}

Dropout LlamaModelImpl::DropoutOf(const Pass& pass, int64_t layer, Module module) const {
  if (pass.key == nullptr) return Dropout();
  return MakeDropout(lora_.dropout, pass.key->seed, pass.key->step, pass.key->micro_step, layer,
                     module);
}

absl::StatusOr<LossResult> LlamaModelImpl::TrainStep(const Batch& batch, double gradient_scale,
                                                     uint64_t dropout_seed, int64_t step,
                                                     int64_t micro_step) {
  if (adapters_.empty() || !enabled_) {
    return absl::FailedPreconditionError("training needs adapters: call AddLora, and enable them");
  }
  SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(batch, false));
  if (plan.labels.empty()) return LossResult();
  return Guard<absl::StatusOr<LossResult>>([&] {
    const StepKey key{dropout_seed, step, micro_step};
    const Pass pass = StartPass(plan, &key, true);
    ReserveBackward(plan.count());
    const at::Tensor x = Forward(pass);
    at::Tensor grad_x = work_.grad_x.narrow(0, 0, plan.count());
    const LossResult loss = LossAndGradient(plan, x, gradient_scale, grad_x);
    Backward(pass, grad_x);
    return loss;
  });
}

std::vector<LlamaModel::RowScore> LlamaModelImpl::ScoreLabels(const TokenPlan& plan, int64_t rows,
                                                              const at::Tensor& x) {
  std::vector<RowScore> scores(static_cast<size_t>(rows));
  const size_t n = plan.labels.size();
  for (size_t begin = 0; begin < n;) {
    std::vector<int64_t> tokens, flat;  // distinct tokens; where each label's logit lies
    size_t end = begin;
    for (; end < n; ++end) {
      const TokenPlan::Label& label = plan.labels[end];
      if (tokens.empty() || tokens.back() != label.token) {
        if (static_cast<int64_t>(tokens.size()) == kScoreRows) break;
        tokens.push_back(label.token);
      }
      flat.push_back((static_cast<int64_t>(tokens.size()) - 1) * config_.vocabulary + label.target);
    }
    const at::Tensor picked = x.index_select(0, at::tensor(tokens, at::kLong).to(device_));
    at::Tensor normed = at::empty_like(picked);
    kernels_->RmsNorm(picked, weights_.norm, config_.rms_norm_eps, normed);
    const int64_t count = picked.size(0);
    at::Tensor logits = Empty({count, config_.vocabulary}, at::kFloat);
    kernels_->Linear(normed, weights_.head, nullptr, at::Tensor(), logits);
    at::Tensor sums = Empty({count}, at::kFloat), best = Empty({count}, at::kLong);
    kernels_->LogSumExp(logits, sums, best);
    const at::Tensor values =
        logits.view({-1}).index_select(0, at::tensor(flat, at::kLong).to(device_)).to(at::kCPU);
    sums = sums.to(at::kCPU);
    best = best.to(at::kCPU);
    for (size_t i = begin; i < end; ++i) {
      const TokenPlan::Label& label = plan.labels[i];
      const int64_t at = flat[i - begin] / config_.vocabulary;
      RowScore& score = scores[static_cast<size_t>(label.row)];
      score.log_likelihood += static_cast<double>(values.const_data_ptr<float>()[i - begin]) -
                              static_cast<double>(sums.const_data_ptr<float>()[at]);
      ++score.labels;
      score.greedy = score.greedy && best.const_data_ptr<int64_t>()[at] == label.target;
    }
    begin = end;
  }
  return scores;
}

absl::StatusOr<std::vector<LlamaModel::RowScore>> LlamaModelImpl::Score(const Batch& batch) {
  SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(batch, true));
  if (plan.labels.empty()) return std::vector<RowScore>(static_cast<size_t>(batch.rows));
  return Guard<absl::StatusOr<std::vector<RowScore>>>([&] {
    const Pass pass = StartPass(plan, nullptr, false);
    return ScoreLabels(plan, batch.rows, Forward(pass));
  });
}

absl::StatusOr<at::Tensor> LlamaModelImpl::Logits(const Batch& batch) {
  SCM_ASSIGN_OR_RETURN(const TokenPlan plan, Plan(batch, false));
  if (plan.count() == 0) return absl::InvalidArgumentError("a batch of padding has no logits");
  return Guard<absl::StatusOr<at::Tensor>>([&]() -> absl::StatusOr<at::Tensor> {
    const Pass pass = StartPass(plan, nullptr, false);
    const at::Tensor x = Forward(pass);
    at::Tensor normed = at::empty_like(x);
    kernels_->RmsNorm(x, weights_.norm, config_.rms_norm_eps, normed);
    at::Tensor flat = Empty({plan.count(), config_.vocabulary}, at::kFloat);
    kernels_->Linear(normed, weights_.head, nullptr, at::Tensor(), flat);
    at::Tensor logits = at::zeros({batch.rows * batch.length, config_.vocabulary}, flat.options());
    std::vector<int64_t> from, to;
    for (size_t i = 0; i < plan.places.size(); ++i) {
      if (plan.places[i] < 0) continue;
      from.push_back(plan.places[i]);
      to.push_back(static_cast<int64_t>(i));
    }
    logits.index_copy_(0, at::tensor(to, at::kLong).to(device_),
                       flat.index_select(0, at::tensor(from, at::kLong).to(device_)));
    return logits.view({batch.rows, batch.length, config_.vocabulary});
  });
}

void LlamaModelImpl::ZeroGradients() {
  for (AdapterPair& pair : adapters_) {
    pair.grad_a.zero_();
    pair.grad_b.zero_();
  }
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModelWith(
    const model::ModelSource& source, Precision precision, const std::string& device,
    std::unique_ptr<Kernels> kernels, const BaseQuantization& quantization, QuantizedCache* cache) {
  return Guard<absl::StatusOr<std::unique_ptr<LlamaModel>>>(
      [&]() -> absl::StatusOr<std::unique_ptr<LlamaModel>> {
        const at::Device where(device);
        const at::ScalarType type = precision == Precision::kFloat32 ? at::kFloat : at::kBFloat16;
        SCM_ASSIGN_OR_RETURN(LlamaWeights weights,
                             LoadWeights(source, type, where, quantization, cache));
        return std::make_unique<LlamaModelImpl>(source.config(), std::move(weights), type, where,
                                                std::move(kernels), quantization);
      });
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModel(const model::ModelSource& source,
                                                           Precision precision,
                                                           const std::string& device,
                                                           const BaseQuantization& quantization,
                                                           QuantizedCache* cache) {
  std::unique_ptr<Kernels> kernels = device == "cpu" ? MakeCpuKernels() : MakeAtenKernels();
  return MakeLlamaModelWith(source, precision, device, std::move(kernels), quantization, cache);
}

}  // namespace scm::trainer
