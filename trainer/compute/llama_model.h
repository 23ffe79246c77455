// The implementation of LlamaModel: state shared by the forward pass (llama_forward.cc), the
// backward pass (llama_backward.cc) and the entry points (llama_model.cc).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "trainer/compute/kernels.h"
#include "trainer/compute/llama_shape.h"
#include "trainer/compute/model.h"
#include "trainer/compute/token_plan.h"
#include "trainer/compute/weights.h"

namespace scm::trainer {

// What one layer keeps for its backward pass. Buffers are kept between steps and grow as needed.
struct LayerState {
  int64_t capacity = 0;
  at::Tensor x, x_mid;        // residual stream before attention and before the MLP
  at::Tensor qkv, attention;  // after the rotation; output of attention
  at::Tensor raw_q, raw_k;    // as projected, where they are normalised head by head
  at::Tensor lse;             // [heads · capacity]
  at::Tensor gate, up;
  std::array<at::Tensor, kModules> u;  // [capacity, r] fp32
};

// What draws the dropout masks of one micro-batch.
struct StepKey {
  uint64_t seed;
  int64_t step, micro_step;
};

class LlamaModelImpl : public LlamaModel {
 public:
  LlamaModelImpl(const model::LlamaConfig& config, LlamaWeights weights, at::ScalarType type,
                 const at::Device& device, std::unique_ptr<Kernels> kernels,
                 const BaseQuantization& quantization = {});

  const model::LlamaConfig& config() const override { return config_; }
  QuantizedBase quantized_base() const override;
  absl::Status AddLora(const LoraConfig& config, uint64_t seed) override;
  std::vector<AdapterPair>& adapters() override { return adapters_; }
  absl::StatusOr<LossResult> TrainStep(const Batch& batch, double gradient_scale,
                                       uint64_t dropout_seed, int64_t step,
                                       int64_t micro_step) override;
  absl::StatusOr<std::vector<RowScore>> Score(const Batch& batch) override;
  absl::StatusOr<at::Tensor> Logits(const Batch& batch) override;
  void EnableAdapters(bool enabled) override { enabled_ = enabled; }
  void ZeroGradients() override;

 private:
  // What every layer of one pass needs.
  struct Pass {
    const TokenPlan* plan;
    at::Tensor positions;  // int32 on the device
    const StepKey* key;    // null: no dropout
    bool keep;             // whether the backward pass follows
    int64_t tokens() const { return plan->count(); }
  };
  // Buffers that live within one layer.
  struct Workspace {
    int64_t capacity = 0;
    at::Tensor normed, act, x_out;  // of the model's type
    at::Tensor grad_act, grad_qkv, grad_attention;
    at::Tensor grad_x, grad_normed, du;  // fp32
    at::Tensor grad_head;                // of one head of queries or keys before its norm, fp32
  };

  // llama_model.cc
  AdapterPair* Adapter(int64_t layer, Module module);
  bool AnyAdapter(int64_t layer, std::initializer_list<Module> modules);
  at::Tensor Empty(std::initializer_list<int64_t> shape, at::ScalarType type) const;
  void Reserve(LayerState* state, int64_t tokens);
  void PackWeights(bool backward);
  void ReserveForward(int64_t tokens);
  void ReserveBackward(int64_t tokens);
  void ReserveRotary(const TokenPlan& plan);
  absl::StatusOr<TokenPlan> Plan(const Batch& batch, bool share_prefixes) const;
  Pass StartPass(const TokenPlan& plan, const StepKey* key, bool keep);
  Dropout DropoutOf(const Pass& pass, int64_t layer, Module module) const;
  std::vector<RowScore> ScoreLabels(const TokenPlan& plan, int64_t rows, const at::Tensor& x);

  // llama_forward.cc: the residual stream after the last layer.
  at::Tensor Forward(const Pass& pass);
  void LayerForward(const Pass& pass, int64_t layer, LayerState* state, at::Tensor& x_out);
  void Project(const Pass& pass, int64_t layer, Module module, LayerState* state,
               const at::Tensor& x, const FrozenMatrix& w, const at::Tensor& residual,
               at::Tensor& y);
  void ProjectQkv(const Pass& pass, int64_t layer, LayerState* state, const at::Tensor& x);

  // head_norms.cc: queries and keys of a family that normalises them, one head after the other.
  void ReserveHeadNorms(LayerState* state, int64_t tokens);
  void NormHeads(int64_t layer, LayerState* state, int64_t tokens);
  void NormHeadsBackward(int64_t layer, LayerState* state, at::Tensor& grad_qkv);

  // llama_backward.cc
  LossResult LossAndGradient(const TokenPlan& plan, const at::Tensor& x, double gradient_scale,
                             at::Tensor& grad_x);
  void Backward(const Pass& pass, at::Tensor& grad_x);
  void MlpBackward(const Pass& pass, int64_t layer, LayerState* state, at::Tensor& grad_x);
  void AttentionBlockBackward(const Pass& pass, int64_t layer, LayerState* state,
                              at::Tensor& grad_x);
  void ProjectBackward(const Pass& pass, int64_t layer, Module module, LayerState* state,
                       const at::Tensor& dy, const at::Tensor& x, at::Tensor* dx);

  model::LlamaConfig config_;
  LlamaWeights weights_;
  at::ScalarType type_;
  at::Device device_;
  std::unique_ptr<Kernels> kernels_;
  AttentionShape shape_;
  BaseQuantization quantization_;

  LoraConfig lora_;
  std::vector<AdapterPair> adapters_;
  std::vector<int64_t> adapter_index_;  // layer · kModules + module → index, −1 = none
  bool enabled_ = true;

  at::Tensor cos_, sin_;  // [positions, d / 2] fp32
  std::vector<LayerState> states_;
  Workspace work_;
};

// The same with chosen kernels; for tests and benches that compare them.
absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModelWith(
    const model::ModelSource& source, Precision precision, const std::string& device,
    std::unique_ptr<Kernels> kernels, const BaseQuantization& quantization = {},
    QuantizedCache* cache = nullptr);

}  // namespace scm::trainer
