// The training loop: one attempt of one run, or of several over one frozen base, from the first or
// resumed step of each to its end: `stop_at_step`, an order to stop, early stopping or divergence.
// The runs step together, and one that ends leaves the others with the bits that they would have
// without it. Talks to the world only through what it is given. One owner, one thread.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "trainer/loop/train_run.h"

namespace scm::trainer {

class TrainLoop {
 public:
  // What became of a run: ABORTED when it diverged. A returned error ends the loop.
  using OnEnd = std::function<absl::Status(TrainRun&, absl::StatusOr<TrainOutcome>)>;

  // All of it outlives the loop; the runs are of one model and optimizer, with an adapter set each.
  TrainLoop(LlamaModel* model, Optimizer* optimizer, Clock* clock, std::vector<TrainRun*> runs)
      : model_(model), optimizer_(optimizer), clock_(clock), runs_(std::move(runs)) {}

  // Until every run has ended, which `on_end` hears at once. Runs report progress, validations and
  // checkpoints; the final "done", "stopped" or "failed" is the caller's. Any other error is that
  // of all runs.
  absl::Status Run(const OnEnd& on_end);

 private:
  // Applies `next` to every run that goes on, and takes leave of those that it stops.
  absl::Status ForEach(const OnEnd& on_end,
                       const std::function<absl::StatusOr<TrainRun::Order>(TrainRun&)>& next);
  absl::Status Step();
  absl::Status Update();

  LlamaModel* model_;
  Optimizer* optimizer_;
  Clock* clock_;
  std::vector<TrainRun*> runs_;  // that go on
  std::optional<ValidationResult> base_;
  double seconds_ = 0;  // of the last step
};

}  // namespace scm::trainer
