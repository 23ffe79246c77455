// AdamW (trainer/loop/adamw.h) over the adapters of all runs of a process, on a GPU: parameters,
// gradients and moments are a flat buffer each, gradient norms one launch and the update another,
// and nothing is waited for. One owner, one thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "trainer/compute/adapters.h"
#include "trainer/compute/cuda/kernels/arguments.h"
#include "trainer/compute/cuda/launcher.h"

namespace scm::trainer {

class FlatAdamW {
 public:
  // Run i has the elements offsets[i] … offsets[i + 1] − 1 of every buffer; `launcher` outlives
  // this.
  FlatAdamW(Launcher* launcher, const std::vector<int64_t>& offsets, const at::Device& device);

  // The same over buffers that there are.
  FlatAdamW(Launcher* launcher, const FlatAdapters& adapters, const at::Tensor& exp_avg,
            const at::Tensor& exp_avg_sq);

  // fp32, zero at first. Adapters are views of them.
  at::Tensor& parameters() { return parameters_; }
  at::Tensor& gradients() { return gradients_; }
  at::Tensor& exp_avg() { return exp_avg_; }
  at::Tensor& exp_avg_sq() { return exp_avg_sq_; }

  // Queues Σ gradient² of each run, fp64 [runs] on the device: the same bits whatever runs first.
  absl::Status QueueSquares();
  const at::Tensor& squares() const { return squares_; }
  // Queues an update of all runs; a gradient is clipped by the norm of the last QueueSquares(). A
  // run whose norm or loss (`losses`, fp64 [runs] on the device, may be undefined) is not finite is
  // left as it is. Not before the one before is done.
  absl::Status QueueStep(const std::vector<device::AdamWNumbers>& numbers,
                         const at::Tensor& losses = {});
  // Queues the copy of `losses` before the squares: fp64 [2, runs] on the device.
  const at::Tensor& Report(const at::Tensor& losses);

 private:
  void Reserve(const at::Device& device);
  Grid Blocks() const;

  Launcher* launcher_;
  std::vector<int64_t> offsets_;
  at::Tensor parameters_, gradients_, exp_avg_, exp_avg_sq_;
  at::Tensor places_, partial_, report_, squares_, tickets_, numbers_;  // on the device
};

}  // namespace scm::trainer
