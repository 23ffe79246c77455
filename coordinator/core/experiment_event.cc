#include "coordinator/core/experiment_event.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

struct ExperimentChange {
  const ExperimentEvent& event;
  absl::Time now;
  Experiment& experiment;

  absl::Status Refuse() const {
    return absl::FailedPreconditionError(absl::StrCat(ExperimentEventName(event),
                                                      " is not possible for ", experiment.id.str(),
                                                      ", which is ", StateName(experiment.state)));
  }
  absl::Status Refuse(StageKind stage) const {
    return absl::FailedPreconditionError(
        absl::StrCat(ExperimentEventName(event), " is not possible for the stage ",
                     StageName(stage), " of ", experiment.id.str()));
  }
  // The stage if it is in this state; else null.
  StageRecord* Find(StageKind kind, State state) const {
    const auto found = std::find_if(
        experiment.stages.begin(), experiment.stages.end(),
        [&](const StageRecord& stage) { return stage.kind == kind && stage.state == state; });
    return found == experiment.stages.end() ? nullptr : &*found;
  }

  absl::Status On(const ExperimentStarted&) const {
    if (experiment.state != State::kPending) return Refuse();
    experiment.state = State::kRunning;
    return absl::OkStatus();
  }
  absl::Status On(const StageStarted& started) const {
    StageRecord* stage = Find(started.stage, State::kPending);
    if (stage == nullptr) return Refuse(started.stage);
    stage->state = State::kRunning;
    stage->started_at = now;
    return absl::OkStatus();
  }
  absl::Status On(const StageSkipped& skipped) const {
    StageRecord* stage = Find(skipped.stage, State::kPending);
    if (stage == nullptr) return Refuse(skipped.stage);
    stage->state = State::kSkipped;
    stage->gate = "not_judged";
    stage->reason = skipped.why;
    return absl::OkStatus();
  }
  absl::Status On(const StageGoesOn& next) const {
    StageRecord* stage = Find(next.stage, State::kRunning);
    if (stage == nullptr) return Refuse(next.stage);
    stage->reason = next.why;
    return absl::OkStatus();
  }
  absl::Status On(const StageEnded& ended) const {
    StageRecord* stage = Find(ended.stage, State::kRunning);
    if (stage == nullptr || !IsTerminal(ended.state)) return Refuse(ended.stage);
    stage->state = ended.state;
    stage->gate = ended.gate;
    stage->reason = ended.reason;
    stage->ended_at = now;
    return absl::OkStatus();
  }
  absl::Status On(const SearchAdvanced& advanced) const {
    experiment.search = advanced.search;
    return absl::OkStatus();
  }
  absl::Status On(const WinnerChosen& chosen) const {
    experiment.winner_trial = chosen.trial;
    experiment.winner = chosen.parameters;
    return absl::OkStatus();
  }
  absl::Status On(const DecisionTaken& taken) const {
    experiment.decision = taken.decision;
    experiment.headline = taken.headline;
    return absl::OkStatus();
  }
  absl::Status On(const ExperimentStopRequested& stop) const {
    if (IsTerminal(experiment.state)) return Refuse();
    // Of two stops the stronger holds, of equals the first.
    if (experiment.stopping && StopRank(stop.reason) <= StopRank(*experiment.stopping)) {
      return Refuse();
    }
    experiment.stopping = stop.reason;
    experiment.stop_rule = stop.rule;
    experiment.stop_text = stop.text;
    experiment.reason = stop.text;
    if (stop.reason != StopReason::kPause) experiment.state = State::kStopping;
    if (stop.reason == StopReason::kAbort) {
      experiment.last_abort_rule = stop.rule;
      experiment.last_abort = now;
    }
    return absl::OkStatus();
  }
  absl::Status On(const ExperimentStopped&) const {
    if (!experiment.stopping || IsTerminal(experiment.state)) return Refuse();
    const StopReason reason = *experiment.stopping;
    experiment.stopping.reset();
    if (reason == StopReason::kPause) {
      experiment.state = State::kPaused;
      return absl::OkStatus();
    }
    experiment.state = reason == StopReason::kAbort ? State::kAborted : State::kCancelled;
    experiment.ended_at = now;
    for (StageRecord& stage : experiment.stages) EndWithExperiment(stage);
    return absl::OkStatus();
  }
  void EndWithExperiment(StageRecord& stage) const {
    if (IsTerminal(stage.state)) return;
    if (stage.state == State::kPending) {
      stage.state = State::kSkipped;
    } else {
      stage.state = experiment.state;
      stage.ended_at = now;
    }
    stage.gate = "not_judged";
    stage.reason = experiment.stop_text;
  }
  absl::Status On(const ExperimentResumed&) const {
    if (experiment.state != State::kPaused) return Refuse();
    experiment.state = State::kRunning;
    experiment.reason.clear();
    return absl::OkStatus();
  }
  absl::Status On(const ExperimentEnded& ended) const {
    if (IsTerminal(experiment.state) || !IsTerminal(ended.state)) return Refuse();
    experiment.state = ended.state;
    experiment.reason = ended.reason;
    experiment.ended_at = now;
    return absl::OkStatus();
  }
  absl::Status On(const AbortNoted& abort) const {
    experiment.last_abort_rule = abort.rule;
    experiment.last_abort = now;
    return absl::OkStatus();
  }
  absl::Status On(const BudgetWarned&) const {
    experiment.budget_warned = true;
    return absl::OkStatus();
  }
  absl::Status On(const SlipWarned&) const {
    experiment.slip_warned = true;
    return absl::OkStatus();
  }
};

// In the order of ExperimentEvent.
constexpr const char* kNames[] = {
    "ExperimentStarted", "StageStarted",      "StageSkipped",
    "StageGoesOn",       "StageEnded",        "SearchAdvanced",
    "WinnerChosen",      "DecisionTaken",     "ExperimentStopRequested",
    "ExperimentStopped", "ExperimentResumed", "ExperimentEnded",
    "AbortNoted",        "BudgetWarned",      "SlipWarned"};
static_assert(std::size(kNames) == std::variant_size_v<ExperimentEvent>);

}  // namespace

const char* ExperimentEventName(const ExperimentEvent& event) { return kNames[event.index()]; }

absl::Status Apply(const ExperimentEvent& event, absl::Time now, Experiment& experiment) {
  ExperimentChange change{event, now, experiment};
  return std::visit([&](const auto& each) { return change.On(each); }, event);
}

}  // namespace scm
