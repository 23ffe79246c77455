#include "trainer/loop/train_loop.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "trainer/loop/lr_schedule.h"

namespace scm::trainer {

TrainLoop::TrainLoop(const JobSpec& spec, const TrainLoopParts& parts)
    : spec_(spec),
      parts_(parts),
      plan_{spec.training.batch_size, spec.data.packing, spec.data.max_length},
      cursor_(static_cast<int64_t>(parts.examples->size()), spec.seed),
      optimizer_(parts.model->adapters(), AdamWConfig{.weight_decay = spec.training.weight_decay}),
      early_stopping_(spec.training.early_stopping) {
  state_.fingerprint = Fingerprint();
}

// What decides the sequence of batches: a checkpoint from other data cannot be resumed exactly.
std::string TrainLoop::Fingerprint() const {
  Sha256 digest;
  digest.Update(absl::StrCat(spec_.seed, "/", plan_.batch_size, "/", plan_.packing, "/",
                             plan_.row_length, "/", spec_.training.gradient_accumulation));
  for (const TokenExample& example : *parts_.examples) {
    digest.Update(absl::StrCat("/", example.answer_start, ":"));
    digest.Update(absl::string_view(reinterpret_cast<const char*>(example.tokens.data()),
                                    example.tokens.size() * sizeof(int32_t)));
    for (const bool predicted : example.predicted) digest.Update(predicted ? "1" : "0");
  }
  return digest.Finish();
}

absl::Status TrainLoop::Resume(const TrainingState& state) {
  if (state.fingerprint != state_.fingerprint) {
    return absl::InvalidArgumentError(
        "the checkpoint to resume from was trained with another seed, batch size or corpus; resume "
        "needs the same ones");
  }
  if (!cursor_.Seek(state.cursor)) {
    return absl::InvalidArgumentError("the checkpoint's position lies outside the training data");
  }
  state_ = state;
  optimizer_.set_updates(state.step);
  early_stopping_.best = state.stopping_best;
  early_stopping_.improved = state.stopping_improved;
  early_stopping_.waited = state.stopping_waited;
  ended_early_ = early_stopping_.Ended();
  saved_step_ = state.step;
  return absl::OkStatus();
}

absl::StatusOr<TrainOutcome> TrainLoop::Run() {
  TrainOutcome outcome;
  // A run stopped between a step and its validation makes the validation up now.
  SCM_ASSIGN_OR_RETURN(Order order, ValidateIfDue());
  while (order == Order::kGoOn && state_.step < spec_.stop_at_step && !ended_early_) {
    SCM_ASSIGN_OR_RETURN(order, ObeyCommands());
    if (order == Order::kStop) break;
    SCM_RETURN_IF_ERROR(RunStep());
    SCM_ASSIGN_OR_RETURN(order, ValidateIfDue());
    if (order == Order::kGoOn) {
      SCM_RETURN_IF_ERROR(SaveIfDue(ended_early_ || state_.step >= spec_.stop_at_step));
    }
  }
  outcome.stopped = order == Order::kStop;
  if (outcome.stopped) {
    const std::optional<StopCommand> stop = parts_.commands->stop();
    if (stop.has_value() && stop->checkpoint && state_.step > saved_step_) {
      SCM_RETURN_IF_ERROR(Save());
    }
  }
  outcome.stopped_early = ended_early_;
  outcome.state = state_;
  outcome.tokens_per_second =
      attempt_seconds_ > 0 ? static_cast<double>(attempt_tokens_) / attempt_seconds_ : 0;
  return outcome;
}

absl::StatusOr<TrainLoop::Order> TrainLoop::ObeyCommands() {
  if (parts_.commands->stop().has_value()) return Order::kStop;
  if (parts_.commands->TakeCheckpoint() && state_.step > saved_step_) SCM_RETURN_IF_ERROR(Save());
  return Order::kGoOn;
}

absl::Status TrainLoop::RunStep() {
  const absl::Duration began = parts_.clock->Steady();
  // The whole window first: the loss is the sum over the window divided by the window's labels, so
  // that accumulation gives the same gradient as one large batch.
  std::vector<Batch> window;
  int64_t labels = 0, tokens = 0;
  for (int64_t i = 0; i < spec_.training.gradient_accumulation; ++i) {
    window.push_back(NextBatch(*parts_.examples, plan_, &cursor_));
    labels += LabelsOf(window.back());
    tokens += TokensOf(window.back());
  }
  const double learning_rate =
      LearningRate(spec_.training.schedule, spec_.training.learning_rate,
                   spec_.training.warmup_steps, spec_.max_steps, state_.step);
  ++state_.step;
  parts_.model->ZeroGradients();
  double loss = 0;
  for (size_t i = 0; i < window.size(); ++i) {
    SCM_ASSIGN_OR_RETURN(const LossResult result,
                         parts_.model->TrainStep(window[i], 1.0 / static_cast<double>(labels),
                                                 spec_.seed, state_.step, static_cast<int64_t>(i)));
    loss += result.loss_sum;
  }
  loss /= static_cast<double>(labels);
  const double norm = GradientNorm(optimizer_.slots());
  const bool finite = std::isfinite(loss) && std::isfinite(norm);
  if (finite) optimizer_.Step(learning_rate, ClipScale(norm, spec_.training.max_grad_norm));
  const double seconds = absl::ToDoubleSeconds(parts_.clock->Steady() - began);
  state_.tokens += tokens;
  state_.cursor = cursor_.position();
  attempt_tokens_ += tokens;
  attempt_seconds_ += seconds;
  SCM_RETURN_IF_ERROR(ReportStep(loss, norm, learning_rate,
                                 seconds > 0 ? static_cast<double>(tokens) / seconds : 0));
  if (finite) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("training diverged at step ", state_.step,
                                         ": the loss is ", loss, " and the gradient norm ", norm,
                                         "; a lower training.learning_rate may help"));
}

absl::Status TrainLoop::ReportStep(double loss, double norm, double learning_rate, double rate) {
  return parts_.reporter->Progress(state_.step, {{"train_loss", loss},
                                                 {"grad_norm", norm},
                                                 {"learning_rate", learning_rate},
                                                 {"tokens", static_cast<double>(state_.tokens)},
                                                 {"tokens_per_second", rate}});
}

bool TrainLoop::ValidationDue() const {
  if (state_.validated_step >= state_.step) return false;
  return state_.step % spec_.eval_steps == 0 || state_.step % spec_.save_steps == 0 ||
         state_.step == spec_.stop_at_step;
}

absl::StatusOr<TrainLoop::Order> TrainLoop::ValidateIfDue() {
  if (!ValidationDue()) return Order::kGoOn;
  const auto go_on = [this] { return !parts_.commands->stop().has_value(); };
  absl::StatusOr<ValidationResult> result =
      Validate(*parts_.validation, spec_.trainer.score_tokens, go_on, parts_.model);
  if (absl::IsCancelled(result.status())) return Order::kStop;
  SCM_RETURN_IF_ERROR(result.status());
  SCM_RETURN_IF_ERROR(parts_.reporter->Validation(
      state_.step, result->ToMetrics(), result->counts.has_value() ? &*result->counts : nullptr));
  ended_early_ = early_stopping_.Observe(result->loss);
  state_.validated_step = state_.step;
  state_.validation = *result;
  if (state_.step == 0) state_.base = *result;
  state_.stopping_best = early_stopping_.best;
  state_.stopping_improved = early_stopping_.improved;
  state_.stopping_waited = early_stopping_.waited;
  return Order::kGoOn;
}

absl::Status TrainLoop::SaveIfDue(bool last) {
  if (state_.step <= saved_step_) return absl::OkStatus();
  if (!last && state_.step % spec_.save_steps != 0) return absl::OkStatus();
  return Save();
}

absl::Status TrainLoop::Save() {
  const bool validated = state_.validated_step == state_.step;
  if (validated && std::isfinite(state_.validation->loss) &&
      (!state_.best_loss.has_value() || state_.validation->loss < *state_.best_loss)) {
    state_.best_loss = state_.validation->loss;
    state_.best_step = state_.step;
  }
  SCM_ASSIGN_OR_RETURN(const std::string dir, parts_.checkpoints->Save(state_, optimizer_));
  saved_step_ = state_.step;
  return parts_.reporter->Checkpoint(state_.step, dir);
}

}  // namespace scm::trainer
