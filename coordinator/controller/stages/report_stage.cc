#include "coordinator/controller/stages/report_stage.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::controller {
namespace {

// What the report's program said of the experiment; null where it did not come to its end.
Json SummaryOf(const state::Cluster& cluster, const ExperimentId& id) {
  const Task* report = nullptr;
  for (const Task* task : cluster.TasksOf(id)) {
    if (task->stage == StageKind::kReport) report = task;
  }
  const bool done = report != nullptr && report->state == State::kSucceeded;
  return done ? report->summary : Json();
}

}  // namespace

std::string ReportStage::WhySkipped(const state::Cluster& /*cluster*/,
                                    const ExperimentId& /*id*/) const {
  return "";
}

absl::StatusOr<std::vector<SpecInput>> ReportStage::InputsOf(StageActions& actions,
                                                             const Task& task) const {
  std::vector<SpecInput> inputs;
  for (const Task* evaluated : actions.cluster().TasksOf(task.experiment)) {
    const std::string id = absl::StrCat(evaluated->id.str(), "/evaluation");
    if (actions.cluster().artifacts.Find(id)) inputs.push_back({"evaluation", "", 0, 0, id});
  }
  SCM_ASSIGN_OR_RETURN(const std::string data, actions.WriteReportData(task));
  inputs.push_back({"report_data", "", 0, 0, data});
  return inputs;
}

StageOutcome ReportStage::Judge(const state::Cluster& cluster, const ExperimentId& id) const {
  StageOutcome outcome = Stage::Judge(cluster, id);
  if (outcome.state != State::kSucceeded) return outcome;
  const Json summary = SummaryOf(cluster, id);
  const std::string decision = StringAt(summary, "decision");
  const std::string headline = StringAt(summary, "headline");
  outcome.gate = decision == "go" ? "passed" : decision == "no_go" ? "failed" : "not_judged";
  if (!headline.empty()) outcome.reason = headline;
  return outcome;
}

void ReportStage::Finish(StageActions& actions) const {
  const Json summary = SummaryOf(actions.cluster(), actions.id());
  actions.SetDecision(StringAt(summary, "decision"), StringAt(summary, "headline"));
  Stage::Finish(actions);
}

}  // namespace scm::controller
