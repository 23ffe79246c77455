// One run of a training: its order of the data, optimiser, schedule, validations, early stopping,
// checkpoints and reports. TrainLoop takes its steps, together with those of other runs or alone;
// nothing here knows which. One owner, one thread. With a deterministic model, k steps + resume +
// (N − k) steps give the same adapters, bit for bit, as N steps.
//
// Several ranks may train one run: each is one process with this object, all of which take the same
// steps and come to the same decisions; of each step and validation they do a share. Rank 0 alone
// reports and saves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "trainer/compute/model.h"
#include "trainer/data/gang_share.h"
#include "trainer/data/packing.h"
#include "trainer/data/validation.h"
#include "trainer/gang/communicator.h"
#include "trainer/loop/adamw.h"
#include "trainer/loop/early_stopping.h"
#include "trainer/loop/optimizer.h"
#include "trainer/loop/step_exchange.h"
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

// All referenced objects outlive the run. `model` has the adapter set already.
struct TrainRunParts {
  LlamaModel* model = nullptr;
  const std::vector<TokenExample>* examples = nullptr;  // not empty
  const ValidationSet* validation = nullptr;            // not empty
  Reporter* reporter = nullptr;                         // names the run where it must be named
  CommandQueue* commands = nullptr;
  CheckpointSink* checkpoints = nullptr;
  Optimizer* optimizer = nullptr;  // of all runs of the model
  size_t adapter_set = 0;
  gang::Communicator* gang = nullptr;  // the ranks that train the run; null: this process alone
};

struct TrainOutcome {
  bool stopped = false;        // by an order; otherwise the attempt is done
  bool stopped_early = false;  // by early stopping
  TrainingState state;
  double tokens_per_second = 0;  // of this attempt's training, validation not counted
};

class TrainRun {
 public:
  enum class Order { kGoOn, kStop };

  TrainRun(const JobSpec& spec, const TrainRunParts& parts);

  const JobSpec& spec() const { return spec_; }
  Reporter* reporter() const { return parts_.reporter; }
  const TrainingState& state() const { return state_; }
  // The optimiser whose moments a resumed run fills before its first step.
  AdamW& optimizer() { return optimizer_; }
  // Takes over a checkpoint's state. INVALID_ARGUMENT when it belongs to other data or batching.
  absl::Status Resume(const TrainingState& state);

  // Whether no step is left.
  bool Over() const { return state_.step >= spec_.stop_at_step || ended_early_; }
  // A step: the micro-batches of its window, whose losses and gradients the model adds up; what the
  // ranks tell each other of them; the update, which the optimizer makes; and the report: ABORTED
  // when the loss or a gradient is not finite, after that was reported. `seconds` is how long the
  // step took. Has(i): whether anything of micro-batch i is to be done here.
  void BeginStep();
  // Makes the next step's micro-batches already, which do not depend on this one's outcome; a
  // checkpoint knows nothing of it.
  void PrepareStep();
  size_t window() const { return window_.shares.size(); }
  bool Has(size_t micro_step) const { return window_.shares[micro_step].batch.rows > 0; }
  MicroBatch At(size_t micro_step) const;
  absl::Status Exchange();
  RunUpdate Update();
  void Updated(const RunUpdate& update);
  absl::Status ReportStep(double seconds);

  // `base` is the validation of the untouched base, which is the same for all runs that start
  // there: whoever makes it first leaves it for the others.
  absl::StatusOr<Order> ValidateIfDue(std::optional<ValidationResult>* base);
  absl::Status SaveIfDue();
  absl::StatusOr<Order> ObeyCommands();
  // What is left to do when no further step is made; `order` is why.
  absl::StatusOr<TrainOutcome> Finish(Order order);

 private:
  // The micro-batches of a step: what this rank does of them, and where the data go on.
  struct Window {
    std::vector<RankShare> shares;
    int64_t labels = 0, tokens = 0;
    DataCursor::Position after;
  };
  Window NextWindow();
  absl::Status Save();
  // Whether this process speaks for the run.
  bool leads() const { return exchange_.gang().first(); }
  // What was said to this rank.
  StepExchange::Stop StopHeard() const;
  // Where the first value that is not finite arose: in the share of the lowest rank that has one.
  absl::StatusOr<std::string> FirstNonFinitePlace();
  // The step that is being made, alone.
  absl::Status TakeAgain();
  bool Finite() const;
  bool ValidationDue() const;
  bool OnTheBase() const;
  absl::StatusOr<ValidationResult> MakeValidation(std::optional<ValidationResult>* base);
  std::string Fingerprint() const;

  const JobSpec& spec_;
  TrainRunParts parts_;
  RowPlan plan_;
  DataCursor cursor_;
  AdamW optimizer_;
  std::unique_ptr<gang::Communicator> alone_ = gang::MakeSolo();
  StepExchange exchange_;
  EarlyStopping early_stopping_;
  TrainingState state_;
  int64_t saved_step_ = 0;  // the newest step of which a checkpoint exists; 0 needs none
  bool ended_early_ = false;
  int64_t attempt_tokens_ = 0;
  double attempt_seconds_ = 0;

  // Of the step that is being made.
  Window window_;
  std::optional<Window> prepared_;  // of the next
  double loss_ = 0, norm_ = 0, learning_rate_ = 0;
};

}  // namespace scm::trainer
