// What a stage may do to its experiment, and the only way in which it does anything. Each action is
// complete: the record, its index, and the event that tells of it. Lives for one step of the stage
// driver; controller's thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/stages/outcome.h"
#include "coordinator/core/trial_packs.h"

namespace scm::controller {

// A run that is to be made, with its task.
struct NewRun {
  StageKind stage = StageKind::kReplicate;
  int64_t seed = 0;
  Json parameters = Json::object();  // null or dotted key → value
  int64_t stop_at_step = 0;          // 0: at the end of the schedule
  TrialId trial = {};
  int64_t model_index = 0;  // of CandidateModels
};

class StageActions {
 public:
  StageActions(ControllerContext* context, ExperimentId id)
      : context_(*context), id_(std::move(id)) {}

  const ExperimentId& id() const { return id_; }
  const state::Cluster& cluster() const { return context_.cluster; }
  // As it is now: an action may put a changed copy in its place.
  const Experiment& experiment() const { return *context_.cluster.experiments.Find(id_); }
  const ExperimentSpec& spec() const { return *experiment().spec; }
  absl::Time now() const { return context_.now; }

  // ---- tasks
  void AddTask(StageKind stage, std::optional<core::EvaluationPart> part = std::nullopt);
  void AddRun(const NewRun& wanted);
  // All of them in one task, at least one.
  void AddPack(const std::vector<NewRun>& wanted);
  // Trials of the sweep in this order, each with its run; those of a pack of several in one task.
  std::vector<TrialId> AddTrials(std::vector<NewRun> wanted, const core::Packs& packs);
  void StopTrial(const TrialId& trial, const std::string& reason);

  // ---- the search
  void SetSearch(search::SearchState state);
  // The searcher knows the run's value up to this rung.
  void NoteSearched(const RunId& run, int64_t rung);
  void NoteContinues(const TrialId& trial, const std::string& reason);
  void NoteExited(const TrialId& trial);

  // ---- what the experiment takes from its stages
  void SetWinner(const TrialId& trial);
  void SetDecision(const std::string& decision, const std::string& headline);

  // ---- what its tasks work on
  // The report's input, as an artifact; its id.
  absl::StatusOr<std::string> WriteReportData(const Task& task);

  // ---- the stages themselves
  void BeginExperiment();
  void SkipStage(StageKind stage, const std::string& reason);
  void BeginStage(StageKind stage);
  // It is not over, and this is why; `event` tells of it.
  void ProlongStage(StageKind stage, const std::string& event, const std::string& reason);
  void EndStage(StageKind stage, const StageOutcome& outcome);

 private:
  // The driver asks for nothing that the experiment's state forbids.
  void Apply(const ExperimentEvent& event);
  Task NewTask(StageKind stage) const;
  // Makes the run of this task; its id.
  RunId MakeRun(const NewRun& wanted, const TaskId& task);
  void Event(const std::string& subject, const std::string& kind, const std::string& text);

  ControllerContext& context_;
  ExperimentId id_;
};

}  // namespace scm::controller
