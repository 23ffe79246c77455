#include "trainer/loop/train_run.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/status_macros.h"
#include "trainer/loop/divergence.h"
#include "trainer/loop/lr_schedule.h"

namespace scm::trainer {

TrainRun::TrainRun(const JobSpec& spec, const TrainRunParts& parts)
    : spec_(spec),
      parts_(parts),
      plan_{spec.training.batch_size, spec.data.packing, spec.data.max_length},
      cursor_(static_cast<int64_t>(parts.examples->size()), spec.seed),
      optimizer_(parts.model->adapters(parts.adapter_set),
                 AdamWConfig{.weight_decay = spec.training.weight_decay},
                 &parts.optimizer->moments()),
      exchange_(parts.gang != nullptr ? parts.gang : alone_.get()),
      early_stopping_(spec.training.early_stopping) {
  state_.fingerprint = Fingerprint();
  state_.world_size = exchange_.gang().world_size();
}

// What decides the sequence of batches: a checkpoint from other data cannot be resumed exactly.
std::string TrainRun::Fingerprint() const {
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

absl::Status TrainRun::Resume(const TrainingState& state) {
  if (state.fingerprint != state_.fingerprint) {
    return absl::InvalidArgumentError(
        "the checkpoint to resume from was trained with another seed, batch size or corpus; resume "
        "needs the same ones");
  }
  if (!cursor_.Seek(state.cursor)) {
    return absl::InvalidArgumentError("the checkpoint's position lies outside the training data");
  }
  const int64_t ranks = state_.world_size;
  if (state.world_size != ranks && !spec_.resources.elastic) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the checkpoint to resume from was trained by ", state.world_size,
        state.world_size == 1 ? " rank" : " ranks", " and would be gone on with by ", ranks,
        ", which adds up gradients in another order, so that the run would not be exactly the one "
        "that it was. Give it as many (resources.ranks), or allow it by resources.elastic: true"));
  }
  state_ = state;
  state_.world_size = ranks;
  optimizer_.set_updates(state.step);
  early_stopping_.best = state.stopping_best;
  early_stopping_.improved = state.stopping_improved;
  early_stopping_.waited = state.stopping_waited;
  ended_early_ = early_stopping_.Ended();
  saved_step_ = state.step;
  return absl::OkStatus();
}

absl::StatusOr<TrainOutcome> TrainRun::Finish(Order order) {
  TrainOutcome outcome;
  outcome.stopped = order == Order::kStop;
  if (outcome.stopped) {
    SCM_ASSIGN_OR_RETURN(const StepExchange::Stop stop, exchange_.Agree(StopHeard()));
    if (stop.checkpoint && state_.step > saved_step_) SCM_RETURN_IF_ERROR(Save());
  }
  outcome.stopped_early = ended_early_;
  outcome.state = state_;
  outcome.tokens_per_second =
      attempt_seconds_ > 0 ? static_cast<double>(attempt_tokens_) / attempt_seconds_ : 0;
  return outcome;
}

StepExchange::Stop TrainRun::StopHeard() const {
  const std::optional<StopCommand> stop = parts_.commands->StopOf(spec_.run_id);
  return {stop.has_value(), stop.has_value() && stop->checkpoint};
}

absl::StatusOr<TrainRun::Order> TrainRun::ObeyCommands() {
  // Of several ranks nobody may stop alone: what any of them has heard goes through the next step.
  const bool stop = exchange_.gang().alone() ? StopHeard().asked : exchange_.stop().asked;
  if (stop) return Order::kStop;
  if (leads() && parts_.commands->TakeCheckpoint(spec_.run_id) && state_.step > saved_step_) {
    SCM_RETURN_IF_ERROR(Save());
  }
  return Order::kGoOn;
}

TrainRun::Window TrainRun::NextWindow() {
  // The whole window first: the loss is the sum over the window divided by the window's labels, so
  // that accumulation gives the same gradient as one large batch.
  std::vector<ExampleRows> step;
  for (int64_t i = 0; i < spec_.training.gradient_accumulation; ++i) {
    step.push_back(NextExamples(*parts_.examples, plan_, &cursor_));
  }
  return {ShareOfStep(step, exchange_.gang().rank(), exchange_.gang().world_size()), LabelsOf(step),
          TokensOf(step), cursor_.position()};
}

void TrainRun::PrepareStep() {
  if (!Over()) prepared_ = NextWindow();
}

void TrainRun::BeginStep() {
  window_ = prepared_ ? *std::exchange(prepared_, std::nullopt) : NextWindow();
  ++state_.step;
  parts_.model->ZeroGradients(parts_.adapter_set);
}

MicroBatch TrainRun::At(size_t micro_step) const {
  const RankShare& share = window_.shares[micro_step];
  return {&share.batch,     parts_.adapter_set, 1.0 / static_cast<double>(window_.labels),
          spec_.seed,       state_.step,        static_cast<int64_t>(micro_step),
          share.first_token};
}

absl::Status TrainRun::Exchange() {
  int64_t labels = 0;
  for (const RankShare& share : window_.shares) labels += LabelsOf(share.batch);
  const size_t set = parts_.adapter_set;
  const FlatAdapters& flat = parts_.model->flat_adapters();
  SCM_RETURN_IF_ERROR(exchange_.Sum(flat.Of(flat.gradients, set),
                                    parts_.model->loss_sums()[static_cast<int64_t>(set)], &labels,
                                    StopHeard()));
  if (labels == window_.labels) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the ranks trained ", labels, " labels in step ",
                                          state_.step, ", and it has ", window_.labels));
}

RunUpdate TrainRun::Update() {
  learning_rate_ = LearningRate(spec_.training.schedule, spec_.training.learning_rate,
                                spec_.training.warmup_steps, spec_.max_steps, state_.step - 1);
  return {&optimizer_, parts_.adapter_set, learning_rate_, spec_.training.max_grad_norm};
}

void TrainRun::Updated(const RunUpdate& update) {
  loss_ = update.loss_sum / static_cast<double>(window_.labels);
  norm_ = update.norm;
  state_.tokens += window_.tokens;
  state_.cursor = window_.after;
}

bool TrainRun::Finite() const { return std::isfinite(loss_) && std::isfinite(norm_); }

absl::Status TrainRun::ReportStep(double seconds) {
  attempt_tokens_ += window_.tokens;
  attempt_seconds_ += seconds;
  const DivergedStep step{state_.step, learning_rate_, loss_, norm_};
  std::string place;
  if (!Finite()) {
    SCM_ASSIGN_OR_RETURN(place, FirstNonFinitePlace());
  }
  if (!leads()) return Finite() ? absl::OkStatus() : Diverged(step, place);
  SCM_RETURN_IF_ERROR(parts_.reporter->Progress(
      state_.step,
      {{"train_loss", loss_},
       {"grad_norm", norm_},
       {"learning_rate", learning_rate_},
       {"tokens", static_cast<double>(state_.tokens)},
       {"tokens_per_second", seconds > 0 ? static_cast<double>(window_.tokens) / seconds : 0}},
      place.empty() ? "" : NoteOf(step, place)));
  return Finite() ? absl::OkStatus() : Diverged(step, place);
}

absl::StatusOr<std::string> TrainRun::FirstNonFinitePlace() {
  // Asked before the search, which takes the step of this rank alone again.
  gang::Communicator& gang = exchange_.gang();
  const bool mine = gang.alone() || !exchange_.own_finite();
  const std::string place = FindFirstNonFinite(
      parts_.model, parts_.model->adapters(parts_.adapter_set), [this] { return TakeAgain(); });
  for (int64_t rank = 0; rank < gang.world_size() && !gang.alone(); ++rank) {
    std::string of_rank = mine ? place : "";
    SCM_RETURN_IF_ERROR(gang.Broadcast(&of_rank, rank));
    if (!of_rank.empty()) return of_rank;
  }
  return place;
}

absl::Status TrainRun::TakeAgain() {
  parts_.model->ZeroGradients(parts_.adapter_set);
  for (size_t i = 0; i < window(); ++i) {
    if (!Has(i)) continue;
    SCM_RETURN_IF_ERROR(parts_.model->TrainStep({At(i)}).status());
  }
  return absl::OkStatus();
}

bool TrainRun::ValidationDue() const {
  if (state_.validated_step >= state_.step) return false;
  return state_.step % spec_.eval_steps == 0 || state_.step % spec_.save_steps == 0 ||
         state_.step == spec_.stop_at_step;
}

// Whether the adapters add nothing yet.
bool TrainRun::OnTheBase() const {
  const std::vector<AdapterPair>& pairs = parts_.model->adapters(parts_.adapter_set);
  return state_.step == 0 && std::all_of(pairs.begin(), pairs.end(), [](const AdapterPair& pair) {
           return !pair.b.any().item<bool>();
         });
}

absl::StatusOr<ValidationResult> TrainRun::MakeValidation(std::optional<ValidationResult>* base) {
  const bool on_the_base = OnTheBase();
  if (on_the_base && base->has_value()) return **base;
  const auto go_on = [this] { return !parts_.commands->StopOf(spec_.run_id).has_value(); };
  parts_.model->SelectAdapterSet(parts_.adapter_set);
  absl::StatusOr<ValidationResult> result = Validate(*parts_.validation, spec_.trainer.score_tokens,
                                                     go_on, parts_.model, &exchange_.gang());
  if (result.ok() && on_the_base) *base = *result;
  return result;
}

absl::StatusOr<TrainRun::Order> TrainRun::ValidateIfDue(std::optional<ValidationResult>* base) {
  if (!ValidationDue()) return Order::kGoOn;
  const absl::StatusOr<ValidationResult> result = MakeValidation(base);
  if (absl::IsCancelled(result.status())) return Order::kStop;
  SCM_RETURN_IF_ERROR(result.status());
  if (leads()) {
    SCM_RETURN_IF_ERROR(parts_.reporter->Validation(
        state_.step, result->ToMetrics(), result->counts.has_value() ? &*result->counts : nullptr));
  }
  ended_early_ = early_stopping_.Observe(result->loss);
  state_.validated_step = state_.step;
  state_.validation = *result;
  if (state_.step == 0) state_.base = *result;
  state_.stopping_best = early_stopping_.best;
  state_.stopping_improved = early_stopping_.improved;
  state_.stopping_waited = early_stopping_.waited;
  return Order::kGoOn;
}

absl::Status TrainRun::SaveIfDue() {
  if (state_.step <= saved_step_) return absl::OkStatus();
  if (!Over() && state_.step % spec_.save_steps != 0) return absl::OkStatus();
  return Save();
}

absl::Status TrainRun::Save() {
  const std::optional<double> loss = state_.loss_at_step();
  if (loss && std::isfinite(*loss) &&
      (!state_.best_loss.has_value() || *loss < *state_.best_loss)) {
    state_.best_loss = loss;
    state_.best_step = state_.step;
  }
  if (!leads()) {
    saved_step_ = state_.step;
    return absl::OkStatus();
  }
  SCM_ASSIGN_OR_RETURN(const std::string dir, parts_.checkpoints->Save(state_, optimizer_));
  saved_step_ = state_.step;
  return parts_.reporter->Checkpoint(state_.step, dir);
}

}  // namespace scm::trainer
