// The end of a step for all runs of a process: clipping by the norm of each run's gradients, the
// update of its adapters, and what is told of both. Where they lie on a GPU that runs own kernels,
// the norms of all runs are one launch, the updates another, and one copy at the end brings losses
// and norms: the only time in a step that the device is waited for. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "trainer/compute/model.h"
#include "trainer/loop/adamw.h"

namespace scm::trainer {

// Of one run in one step.
struct RunUpdate {
  AdamW* adamw = nullptr;  // with moments of the optimizer
  size_t adapter_set = 0;
  double learning_rate = 0, max_norm = 0;  // max_norm 0: no clipping
  // Found by the optimizer: the sum of the losses and the gradients' norm before clipping. Unless
  // both are finite the adapters stay what they were.
  double loss_sum = 0, norm = 0;
};

class Optimizer {
 public:
  explicit Optimizer(LlamaModel* model);
  virtual ~Optimizer() = default;
  // Of all adapter sets of the model; zero at first.
  const Moments& moments() const { return moments_; }
  // An update of each of the runs, with the gradients and losses that the model has now. While a
  // device works on it, `meanwhile` is called once.
  virtual absl::Status Step(std::vector<RunUpdate>* updates,
                            const std::function<void()>& meanwhile) = 0;

 protected:
  LlamaModel* const model_;

 private:
  Moments moments_;
};

// For the adapter sets that `model` has now: it outlives the optimizer, and gets no others.
std::unique_ptr<Optimizer> MakeOptimizer(LlamaModel* model);

}  // namespace scm::trainer
