// The implementation of LlamaModel: state shared by the forward pass (llama_forward.cc), the
// backward pass (llama_backward.cc) and the entry points (llama_model.cc).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "trainer/compute/first_non_finite.h"
#include "trainer/compute/kernels.h"
#include "trainer/compute/llama_shape.h"
#include "trainer/compute/model.h"
#include "trainer/compute/pass_input.h"
#include "trainer/compute/pass_runner.h"
#include "trainer/compute/replay_check.h"
#include "trainer/compute/token_plan.h"
#include "trainer/compute/weights.h"

namespace scm::trainer {

// The adapters of one run.
struct AdapterSet {
  LoraConfig config;
  std::vector<AdapterPair> pairs;
  std::vector<int64_t> index;  // layer · kModules + module → index into pairs, −1 = none
  int64_t largest_rank = 0;

  AdapterPair* Find(int64_t layer, Module module) {
    const int64_t at = index[static_cast<size_t>(layer * kModules + module)];
    return at < 0 ? nullptr : &pairs[static_cast<size_t>(at)];
  }
};

// What one layer keeps for its backward pass, beside its input. Buffers are kept between steps and
// grow as needed.
struct LayerState {
  int64_t capacity = 0;
  at::Tensor x_mid;           // residual stream before the MLP
  at::Tensor qkv, attention;  // after the rotation; output of attention
  at::Tensor raw_q, raw_k;    // as projected, where they are normalised head by head
  at::Tensor lse;             // [heads · capacity]
  at::Tensor gate, up;
  std::array<at::Tensor, kModules> u;  // fp32, room for capacity × the largest r
};

// The rows of a pass that belong to one adapter set. What the sets share (frozen products, norms,
// attention, the head) is computed over all rows of the pass; what a set has of its own, over its
// row block alone.
struct RowBlock {
  AdapterSet* set;
  int64_t begin, rows;
  const MicroBatch* key;  // what draws the dropout masks; null: no dropout
  int64_t first;          // what row `begin` is in the micro-batch
  int64_t labels;         // of the pass's, in order
  // Of a pass that is recorded, on the device: (key0, key1, first_row) of each mask, layer by
  // layer.
  const uint32_t* keys = nullptr;
};

class LlamaModelImpl : public LlamaModel {
 public:
  LlamaModelImpl(const model::LlamaConfig& config, LlamaWeights weights, at::ScalarType type,
                 const at::Device& device, std::unique_ptr<Kernels> kernels,
                 const BaseQuantization& quantization = {});

  const model::LlamaConfig& config() const override { return config_; }
  QuantizedBase quantized_base() const override;
  absl::Status AddLora(const LoraConfig& config, uint64_t seed) override;
  absl::Status AddAdapterSet(const LoraConfig& config, uint64_t seed) override;
  using LlamaModel::adapters;
  std::vector<AdapterPair>& adapters(size_t set) override { return sets_[set]->pairs; }
  const FlatAdapters& flat_adapters() const override { return flat_; }
  using LlamaModel::TrainStep;
  absl::StatusOr<std::vector<LossResult>> TrainStep(
      const std::vector<MicroBatch>& micro_batches) override;
  absl::Status QueueTrainStep(const std::vector<MicroBatch>& micro_batches) override;
  at::Tensor loss_sums() override { return loss_sums_; }
  Launcher* launcher() override { return kernels_->launcher(); }
  absl::StatusOr<std::vector<RowScore>> Score(const Batch& batch) override;
  absl::StatusOr<at::Tensor> Logits(const Batch& batch) override;
  void EnableAdapters(bool enabled) override { enabled_ = enabled; }
  void SelectAdapterSet(size_t set) override { selected_ = set; }
  using LlamaModel::ZeroGradients;
  void ZeroGradients(size_t set) override;
  void Watch(FirstNonFinite* found) override;
  void RecomputeActivations(bool recompute) override;
  // For tests: how many rows a pass may have beyond its largest row block, and at which number of
  // rows a micro-batch is cut.
  void set_rows_to_share(int64_t rows) { rows_to_share_ = rows; }
  void set_pass_rows(int64_t rows) { pass_rows_ = rows; }
  absl::Status CheckReplays(ReplayCheck* check) override;

 private:
  // What every layer of one pass needs.
  struct Pass {
    const TokenPlan* plan;
    std::vector<RowBlock> blocks;
    PassInput input;        // on the device
    bool keep = false;      // whether the backward pass follows
    bool recorded = false;  // whether everything has a fixed length and place
    int64_t tokens() const { return plan->count(); }
  };
  // A part of a micro-batch: a row block of some pass.
  struct Part {
    size_t micro_batch;
    PlanPart rows;
  };
  // Buffers that live within one layer.
  struct Workspace {
    int64_t capacity = 0;
    at::Tensor normed, act, x_out;  // of the model's type
    at::Tensor grad_act, grad_qkv, grad_attention;
    at::Tensor grad_x, grad_normed, du;  // fp32; du like LayerState::u
    at::Tensor grad_head;                // of one head of queries or keys before its norm, fp32
  };

  // What the loss is computed in.
  struct LossBuffers {
    int64_t capacity = 0;
    at::Tensor rows, normed;                    // of the model's type
    at::Tensor losses, grad_normed, grad_rows;  // fp32
    at::Tensor wide_losses;                     // fp64
    at::Tensor logits;                          // fp32, of as many rows as exist at a time
  };

  // llama_model.cc
  // Whether any block of the pass has an adapter there.
  static bool AnyAdapter(const Pass& pass, int64_t layer, std::initializer_list<Module> modules);
  int64_t LargestRank() const;
  AdapterPair MakePair(const std::string& name, const model::AdapterShape& shape, int64_t layer,
                       int module, uint64_t seed) const;
  // Rows that a pass may have beyond the largest row block: their activations stay small beside
  // the weights.
  int64_t RowsToShare() const;
  at::Tensor Empty(std::initializer_list<int64_t> shape, at::ScalarType type) const;
  void ReserveInput(int64_t layer, int64_t tokens);
  void Reserve(LayerState* state, int64_t tokens);
  void PackWeights();
  int64_t BaseBytes() const;
  void ReserveForward(int64_t tokens);
  void ReserveBackward(int64_t tokens);
  void ReservePassInput(int64_t bytes);
  void ReserveLoss(int64_t labels, LossBuffers* buffers);
  void ReserveRotary(const TokenPlan& plan);
  absl::StatusOr<TokenPlan> Plan(const Batch& batch, bool share_prefixes) const;
  Pass StartPass(const TokenPlan& plan, std::vector<RowBlock> blocks, bool keep);
  void FillInput(const Pass& pass, PassInput* input) const;
  Pass StartScoring(const TokenPlan& plan);
  Dropout DropoutOf(const RowBlock& block, int64_t layer, Module module) const;
  std::string PassKey(const Pass& pass, int64_t most, int64_t longest) const;
  absl::StatusOr<std::vector<Part>> Cut(const std::vector<MicroBatch>& micro_batches) const;
  // `results` null: losses are added up on the device.
  absl::Status Train(const std::vector<MicroBatch>& micro_batches,
                     std::vector<LossResult>* results);
  absl::Status TrainTogether(const std::vector<Part>& parts, size_t first, size_t last,
                             const std::vector<MicroBatch>& micro_batches,
                             std::vector<LossResult>* results);
  // The parts of a pass behind each other; filled up where it is recorded.
  TokenPlan LayOut(const std::vector<Part>& parts, size_t first, size_t last,
                   const std::vector<MicroBatch>& micro_batches,
                   std::vector<RowBlock>* blocks) const;
  // What a recorded pass needs beside its rows; its key.
  std::string PrepareRecorded(const Pass& pass);
  // The pass itself, with losses to loss_sums_ or, as they are, to the result.
  at::Tensor RunPass(const Pass& pass, bool add_losses);
  std::vector<RowScore> ScoreLabels(const TokenPlan& plan, int64_t rows, const at::Tensor& x);

  // u or du of an adapter of a row block, out of a buffer for all: [rows, r].
  at::Tensor LowRank(const at::Tensor& all, const RowBlock& block, const AdapterPair& pair) const;

  // llama_forward.cc: the residual stream after the last layer.
  at::Tensor Forward(const Pass& pass);
  void Embed(const Pass& pass);
  at::Tensor InputOf(const Pass& pass, int64_t layer) const {
    return inputs_[static_cast<size_t>(pass.keep ? layer : 0)].narrow(0, 0, pass.tokens());
  }
  LayerState* StateOf(const Pass& pass, int64_t layer) {
    return &states_[static_cast<size_t>(pass.keep && !recompute_ ? layer : 0)];
  }
  // x_out null: no more than what the backward pass reads.
  void LayerForward(const Pass& pass, int64_t layer, LayerState* state, at::Tensor* x_out);
  // The adapters of a module, of the row blocks that have one; without du.
  std::vector<AdapterRows> AdaptersOf(const Pass& pass, int64_t layer, Module module,
                                      LayerState* state);
  std::vector<LoraBlock> LowRankParts(const Pass& pass, int64_t layer, Module module,
                                      LayerState* state, const at::Tensor& x);
  void Project(const Pass& pass, int64_t layer, Module module, LayerState* state,
               const at::Tensor& x, const FrozenMatrix& w, const at::Tensor& residual,
               at::Tensor& y);
  void ProjectQkv(const Pass& pass, int64_t layer, LayerState* state, const at::Tensor& x);

  // head_norms.cc: queries and keys of a family that normalises them, one head after the other.
  void ReserveHeadNorms(LayerState* state, int64_t tokens);
  void NormHeads(int64_t layer, LayerState* state, int64_t tokens);
  void NormHeadsBackward(int64_t layer, LayerState* state, at::Tensor& grad_qkv);

  // llama_backward.cc
  // Of every label, on the device.
  at::Tensor LossAndGradient(const Pass& pass, const at::Tensor& x, at::Tensor& grad_x);
  void ReserveForPass(int64_t tokens, bool keep);
  void CrossEntropyOfBlocks(const Pass& pass, int64_t begin, const at::Tensor& labels,
                            at::Tensor& logits, at::Tensor& losses);
  static std::vector<LossResult> SumLosses(const Pass& pass, const at::Tensor& losses);
  void AddLosses(const Pass& pass, const at::Tensor& losses);
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
  std::unique_ptr<Kernels> unwatched_;  // what kernels_ watches; null without a watch
  AttentionShape shape_;
  BaseQuantization quantization_;

  std::vector<std::unique_ptr<AdapterSet>> sets_;
  FlatAdapters flat_;
  at::Tensor loss_sums_, loss_sum_;  // fp64 [sets], and one on its way there
  bool enabled_ = true;
  size_t selected_ = 0;
  int64_t rows_to_share_ = -1;  // -1: by memory
  int64_t pass_rows_;
  bool recompute_ = false;

  at::Tensor cos_, sin_;  // [positions, d / 2] fp32
  // The residual stream before each layer, and what else of it is kept; one for all layers where
  // nothing is kept, and one state where it is computed again.
  std::vector<at::Tensor> inputs_;
  std::vector<LayerState> states_;
  Workspace work_;
  LossBuffers loss_;  // of recorded passes
  at::Tensor input_;  // likewise, bytes
  // Whether training passes are made to be recorded, and who does.
  bool recorded_ = false;
  PassRunner* runner_ = nullptr;
  std::unique_ptr<PassRunner> graphs_;  // the runner but for a check; null: passes are not recorded
  std::unique_ptr<Kernels> unchecked_;  // what kernels_ checks; null without a check
};

// The same with chosen kernels; for tests and benches that compare them.
absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModelWith(
    const model::ModelSource& source, Precision precision, const std::string& device,
    std::unique_ptr<Kernels> kernels, const BaseQuantization& quantization = {},
    QuantizedCache* cache = nullptr);

}  // namespace scm::trainer
