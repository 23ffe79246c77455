#include "coordinator/state/references.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/core/run_standing.h"

namespace scm::state {

std::string Dangling(const Cluster& c, const Experiment& e) {
  const bool there = e.winner_trial.empty() || c.trials.Find(e.winner_trial) != nullptr;
  return there ? "" : absl::StrCat("its trial ", e.winner_trial.str(), " is not there");
}

std::string Dangling(const Cluster& c, const Run& run) {
  const Task* task = c.tasks.Find(run.task);
  if (task == nullptr || !core::Carries(*task, run.id) || task->experiment != run.experiment ||
      task->stage != run.stage) {
    return absl::StrCat("its task ", run.task.str(), " is not there");
  }
  const bool there = run.trial.empty() || c.trials.Find(run.trial) != nullptr;
  return there ? "" : absl::StrCat("its trial ", run.trial.str(), " is not there");
}

std::string Dangling(const Cluster& c, const Task& task) {
  const Experiment* experiment = c.experiments.Find(task.experiment);
  const bool planned =
      experiment == nullptr ||
      std::any_of(experiment->stages.begin(), experiment->stages.end(),
                  [&](const StageRecord& stage) { return stage.kind == task.stage; });
  if (!planned) return absl::StrCat("its experiment has no stage ", StageName(task.stage));
  for (const RunId& id : core::RunsIn(task)) {
    const Run* run = c.runs.Find(id);
    if (run == nullptr || run->task != task.id || run->experiment != task.experiment) {
      return absl::StrCat("its run ", id.str(), " is not there");
    }
  }
  return "";
}

std::string Dangling(const Cluster& c, const Trial& trial) {
  const Run* run = c.runs.Find(trial.run);
  const bool there = run != nullptr && run->experiment == trial.experiment;
  return there ? "" : absl::StrCat("its run ", trial.run.str(), " is not there");
}

std::string Dangling(const Cluster& c, const CheckpointRecord& checkpoint) {
  const bool there = c.runs.Find(checkpoint.run) != nullptr &&
                     absl::StartsWith(checkpoint.id, checkpoint.run.str() + "/");
  return there ? "" : absl::StrCat("its run ", checkpoint.run.str(), " is not there");
}

std::string Dangling(const Cluster& c, const ArtifactRecord& artifact) {
  const Task* task = c.tasks.Find(artifact.task);
  const bool there = task != nullptr && task->experiment == artifact.experiment;
  return there ? "" : absl::StrCat("its task ", artifact.task.str(), " is not there");
}

std::string Dangling(const Cluster& c, const CertificateRecord& certificate) {
  const Run* run = c.runs.Find(certificate.run);
  const bool there =
      c.experiments.Find(certificate.experiment) != nullptr &&
      (certificate.run.empty() || (run != nullptr && run->experiment == certificate.experiment));
  return there ? "" : "what it is about is not there";
}

}  // namespace scm::state
