// The seeds that a benchmark trains together, each with an adapter set of its own, stepped as the
// training loop steps its runs: passes are queued, and the optimizer updates all at once. One
// thread.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/compute/model.h"
#include "trainer/loop/optimizer.h"

namespace scm::bench {

struct SeedOptions {
  trainer::LoraConfig lora;
  double learning_rate = 1e-3, max_grad_norm = 1;
};

class Seeds {
 public:
  // Adds a set for each of `seeds` to `model`, which outlives them and has no other.
  static absl::StatusOr<Seeds> Add(trainer::LlamaModel* model, const std::vector<uint64_t>& seeds,
                                   const SeedOptions& options);

  // What one seed found in a step.
  struct Result {
    double loss = 0, norm = 0;  // the mean over the labels; of the gradient before clipping
  };
  // Step `step` of the first `count` seeds over the same batch, in one pass.
  absl::StatusOr<std::vector<Result>> Step(const trainer::Batch& batch, size_t count, int64_t step);

 private:
  trainer::LlamaModel* model_ = nullptr;
  SeedOptions options_;
  std::vector<uint64_t> seeds_;
  std::unique_ptr<trainer::Optimizer> optimizer_;
  std::vector<std::unique_ptr<trainer::AdamW>> adamws_;  // by adapter set
};

}  // namespace scm::bench
