#include "trainer/loop/optimizer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "common/status_macros.h"
#include "trainer/compute/cuda/flat_adamw.h"

namespace scm::trainer {
namespace {

bool Finite(const RunUpdate& update) {
  return std::isfinite(update.loss_sum) && std::isfinite(update.norm);
}

// Run by run, tensor by tensor: on a CPU the bits that each run has alone.
class RunByRun : public Optimizer {
 public:
  using Optimizer::Optimizer;

  absl::Status Step(std::vector<RunUpdate>* updates,
                    const std::function<void()>& meanwhile) override {
    const at::Tensor losses = model_->loss_sums().to(at::kCPU);
    for (RunUpdate& update : *updates) {
      update.loss_sum = losses.const_data_ptr<double>()[update.adapter_set];
      update.norm = GradientNorm(update.adamw->slots());
      if (!Finite(update)) continue;
      update.adamw->Step(update.learning_rate, ClipScale(update.norm, update.max_norm));
    }
    meanwhile();
    return absl::OkStatus();
  }
};

// All runs at once, on the device.
class AtOnce : public Optimizer {
 public:
  explicit AtOnce(LlamaModel* model)
      : Optimizer(model),
        flat_(model->launcher(), model->flat_adapters(), moments().exp_avg, moments().exp_avg_sq),
        numbers_(model->flat_adapters().offsets.size() - 1) {}

  absl::Status Step(std::vector<RunUpdate>* updates,
                    const std::function<void()>& meanwhile) override {
    for (device::AdamWNumbers& numbers : numbers_) numbers.skip = 1;
    for (const RunUpdate& update : *updates) numbers_[update.adapter_set] = NumbersOf(update);
    SCM_RETURN_IF_ERROR(flat_.QueueSquares());
    SCM_RETURN_IF_ERROR(flat_.QueueStep(numbers_, model_->loss_sums()));
    const at::Tensor queued = flat_.Report(model_->loss_sums());
    meanwhile();
    const at::Tensor report = queued.to(at::kCPU);
    const double* const losses = report.const_data_ptr<double>();
    const double* const squares = losses + report.size(1);
    for (RunUpdate& update : *updates) {
      update.loss_sum = losses[update.adapter_set];
      update.norm = std::sqrt(squares[update.adapter_set]);
      if (Finite(update)) update.adamw->Updated();
    }
    return absl::OkStatus();
  }

 private:
  static device::AdamWNumbers NumbersOf(const RunUpdate& update) {
    const AdamWStep next = update.adamw->Next(update.learning_rate);
    return {next.rest1, next.beta2,     next.rest2,        next.epsilon,
            next.decay, next.step_size, next.inverse_root, update.max_norm};
  }

  FlatAdamW flat_;
  std::vector<device::AdamWNumbers> numbers_;
};

}  // namespace

Optimizer::Optimizer(LlamaModel* model)
    : model_(model),
      moments_{at::zeros_like(model->flat_adapters().parameters),
               at::zeros_like(model->flat_adapters().parameters)} {}

std::unique_ptr<Optimizer> MakeOptimizer(LlamaModel* model) {
  if (model->launcher() == nullptr) return std::make_unique<RunByRun>(model);
  return std::make_unique<AtOnce>(model);
}

}  // namespace scm::trainer
