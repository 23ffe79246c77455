// The training loop: one attempt of one run, from its first or resumed step to `stop_at_step`, an
// order to stop, early stopping or divergence. Talks to the world only through what it is given.
// One owner, one thread. With a deterministic model, k steps + resume + (N − k) steps give the same
// adapters, bit for bit, as N steps.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "trainer/compute/model.h"
#include "trainer/data/packing.h"
#include "trainer/data/validation.h"
#include "trainer/loop/adamw.h"
#include "trainer/loop/early_stopping.h"
#include "trainer/loop/training_state.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Where checkpoints go. The real one is trainer/loop/checkpoint_io.h.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // Writes a complete, durable checkpoint and returns its directory.
  virtual absl::StatusOr<std::string> Save(const TrainingState& state, AdamW& optimizer) = 0;
};

// All referenced objects outlive the loop. `model` has its adapters already.
struct TrainLoopParts {
  LlamaModel* model = nullptr;
  const std::vector<TokenExample>* examples = nullptr;  // not empty
  const ValidationSet* validation = nullptr;            // not empty
  Reporter* reporter = nullptr;
  CommandQueue* commands = nullptr;
  CheckpointSink* checkpoints = nullptr;
  Clock* clock = nullptr;
};

struct TrainOutcome {
  bool stopped = false;        // by an order; otherwise the attempt is done
  bool stopped_early = false;  // by early stopping
  TrainingState state;
  double tokens_per_second = 0;  // of this attempt's training, validation not counted
};

class TrainLoop {
 public:
  TrainLoop(const JobSpec& spec, const TrainLoopParts& parts);

  // The optimiser whose moments a resumed run fills before Run().
  AdamW& optimizer() { return optimizer_; }
  // Takes over a checkpoint's state. INVALID_ARGUMENT when it belongs to other data or batching.
  absl::Status Resume(const TrainingState& state);
  // Reports progress, validations and checkpoints; the final "done" or "stopped" is the caller's.
  // ABORTED when the loss or a gradient is not finite, after that was reported.
  absl::StatusOr<TrainOutcome> Run();

 private:
  enum class Order { kGoOn, kStop };

  absl::Status RunStep();
  absl::StatusOr<Order> ValidateIfDue();
  absl::Status SaveIfDue(bool last);
  absl::StatusOr<Order> ObeyCommands();
  absl::Status Save();
  absl::Status ReportStep(double loss, double norm, double learning_rate, double rate);
  bool ValidationDue() const;
  std::string Fingerprint() const;

  const JobSpec& spec_;
  TrainLoopParts parts_;
  RowPlan plan_;
  DataCursor cursor_;
  AdamW optimizer_;
  EarlyStopping early_stopping_;
  TrainingState state_;
  int64_t saved_step_ = 0;  // the newest step of which a checkpoint exists; 0 needs none
  bool ended_early_ = false;
  int64_t attempt_tokens_ = 0;
  double attempt_seconds_ = 0;
};

}  // namespace scm::trainer
