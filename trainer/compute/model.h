// The compute core as the training loop and the evaluator see it: a Llama-architecture model with a
// frozen base and LoRA adapters, with a hand-written forward and backward pass. Several runs may
// share the base, each with an adapter set of its own. One owner, one thread (the kernels inside
// use the OpenMP threads of the process). No Python, no Protobuf, no autograd.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/llama_config.h"
#include "trainer/compute/adapters.h"
#include "trainer/compute/lora_config.h"
#include "trainer/compute/precision.h"
#include "trainer/compute/quantize/quantized_matrix.h"

namespace scm::model {
class ModelSource;  // model/model_source.h
}

namespace scm::trainer {

class Launcher;         // trainer/compute/cuda/launcher.h
class QuantizedCache;   // trainer/compute/quantized_cache.h
class ReplayCheck;      // trainer/compute/replay_check.h
struct FirstNonFinite;  // trainer/compute/first_non_finite.h

// Token rows for one pass. All rows have the same length; padding is on the right. In a packed row
// several documents follow each other: `segment` numbers them (0, 1, …), attention stays within a
// segment and positions restart there; padding has segment −1.
struct Batch {
  int64_t rows = 0, length = 0;
  std::vector<int32_t> tokens;    // rows × length
  std::vector<int32_t> segments;  // rows × length
  // Target of position i is labels[i] (already shifted: the NEXT token), or −100 where no loss is
  // taken.
  std::vector<int32_t> labels;
};

// One run's share of a training pass. Dropout masks are a pure function of (dropout_seed, step,
// micro_step, layer, module, element), so a resumed run draws the same ones.
struct MicroBatch {
  const Batch* batch = nullptr;
  size_t adapter_set = 0;  // a set has one micro-batch a pass at most
  double gradient_scale = 1;
  uint64_t dropout_seed = 0;
  int64_t step = 0, micro_step = 0;
  // Where several ranks share a micro-batch: its tokens before those of `batch`, padding not
  // counted.
  int64_t first_token = 0;
};

struct LossResult {
  double loss_sum = 0;  // summed negative log-likelihood of the labelled positions, natural log
  int64_t labels = 0;   // labelled positions
};

// What the quantised matrices of a base take, measured where they lie.
struct QuantizedBase {
  BaseQuantization quantization;
  int64_t matrices = 0, parameters = 0, bytes = 0;
  int64_t blocks = 0, inverted_blocks = 0;  // nf4: of 64 values; with a scale that became negative
  double bits_per_parameter() const {
    return 8 * static_cast<double>(bytes) / static_cast<double>(parameters);
  }
};

class LlamaModel {
 public:
  virtual ~LlamaModel() = default;
  virtual const model::LlamaConfig& config() const = 0;
  // Without matrices when the base is not quantised.
  virtual QuantizedBase quantized_base() const { return {}; }

  // Creates the only adapter set: A ~ U(±1/√in) from Philox(seed, "lora_init", layer·7+module),
  // B = 0. Replaces any existing ones.
  virtual absl::Status AddLora(const LoraConfig& config, uint64_t seed) = 0;
  // The same as one set more, whose number is the number of those before. Sets may differ in all of
  // their configuration.
  virtual absl::Status AddAdapterSet(const LoraConfig& config, uint64_t seed) = 0;
  // The adapters of a set keep their place in memory until AddLora, and their tensors until another
  // set is added. `set` must exist.
  virtual std::vector<AdapterPair>& adapters(size_t set) = 0;
  std::vector<AdapterPair>& adapters() { return adapters(0); }
  // Those of all sets.
  virtual const FlatAdapters& flat_adapters() const = 0;

  // Forward and backward of one micro-batch each of several adapter sets, in training mode; results
  // in the same order. Gradients of `gradient_scale · Σ loss` are added to grad_a / grad_b of the
  // set. On a CPU every bit is that of the micro-batch alone: which others there are, and how many
  // of them share a pass (as many as the memory of the base makes cheap), changes nothing. A status
  // leaves all gradients undefined.
  virtual absl::StatusOr<std::vector<LossResult>> TrainStep(
      const std::vector<MicroBatch>& micro_batches) = 0;
  absl::StatusOr<LossResult> TrainStep(const Batch& batch, double gradient_scale,
                                       uint64_t dropout_seed, int64_t step, int64_t micro_step) {
    auto results = TrainStep({{&batch, 0, gradient_scale, dropout_seed, step, micro_step}});
    if (!results.ok()) return results.status();
    return results->front();
  }
  // The same without waiting for a device: the losses are added to loss_sums(). What goes wrong on
  // the device is told by whoever waits for it.
  virtual absl::Status QueueTrainStep(const std::vector<MicroBatch>& micro_batches) = 0;
  // Summed losses of each set since ZeroGradients, fp64 [sets] on the model's device, which
  // QueueTrainStep adds to. Keeps its place until another set is added.
  virtual at::Tensor loss_sums() = 0;
  // Runs own kernels on the model's device; null where there are none. Lives as long as the model.
  virtual Launcher* launcher() { return nullptr; }

  // Forward only, no dropout. Log-likelihood of labels per row: out[row] = Σ log p over its
  // labelled positions; and per row whether every labelled position was the arg-max (greedy match).
  struct RowScore {
    double log_likelihood = 0;
    int64_t labels = 0;
    bool greedy = true;
  };
  virtual absl::StatusOr<std::vector<RowScore>> Score(const Batch& batch) = 0;
  // Logits [rows, length, vocabulary] in fp32, for parity tests and small inputs only.
  virtual absl::StatusOr<at::Tensor> Logits(const Batch& batch) = 0;
  // Whether adapters take part in Score and Logits (off = the untouched base). Default on.
  virtual void EnableAdapters(bool enabled) = 0;
  // Which set does. Default the first.
  virtual void SelectAdapterSet(size_t set) = 0;
  // Gradients of the set and its sum of losses.
  virtual void ZeroGradients(size_t set) = 0;
  void ZeroGradients() { ZeroGradients(0); }

  // Whether a training pass keeps the input of each layer alone, and computes the rest again when
  // the gradient comes to it: the same bits, less memory, longer. Default off.
  virtual void RecomputeActivations(bool /*recompute*/) {}

  // From now on training passes are made as if they were to be recorded and replayed, and `check`
  // looks at each; what a replay could not do is the error of the step. Null: no longer. Slow.
  // `check` outlives it. UNIMPLEMENTED where passes cannot be recorded.
  virtual absl::Status CheckReplays(ReplayCheck* /*check*/) {
    return absl::UnimplementedError("this model's passes are not recorded");
  }

  // From now on everything that a pass computes is looked at, and `found` told where the first
  // value arises that is not finite; null: no longer. Slow. `found` outlives the watch.
  virtual void Watch(FirstNonFinite* /*found*/) {}
};

// Builds the model on `device` ("cpu" or "cuda:0"): reads every tensor once, dequantises it and
// keeps it in `precision`, the matrices of the layers quantised if that is wanted, once for all who
// share the directory of `cache`. `source` is not needed afterwards.
absl::StatusOr<std::unique_ptr<LlamaModel>> MakeLlamaModel(
    const model::ModelSource& source, Precision precision, const std::string& device,
    const BaseQuantization& quantization = {}, QuantizedCache* cache = nullptr);

}  // namespace scm::trainer
