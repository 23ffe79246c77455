// Cluster's reducer: the only place in which records come in, and in which events change them.
#include <utility>

#include "common/status_macros.h"
#include "coordinator/state/cluster.h"

namespace scm::state {
namespace {

template <typename Id>
absl::Status Missing(const char* kind, const Id& id) {
  return absl::NotFoundError(absl::StrCat("there is no ", kind, " ", id));
}

}  // namespace

void Cluster::Index(const Task& task) {
  tasks_of_.Own()[task.experiment].push_back(task.id);
  if (!IsTerminal(task.state)) open_tasks_.Own().insert(task.id);
}

void Cluster::Index(const Trial& trial) { trials_of_[trial.experiment].push_back(trial.id); }

void Cluster::Put(CheckpointRecord checkpoint) {
  const std::string id = checkpoint.id;
  checkpoints.Insert(id, std::move(checkpoint));
}

void Cluster::Put(ArtifactRecord artifact) {
  const std::string id = artifact.id;
  artifacts.Insert(id, std::move(artifact));
}

void Cluster::SetTask(Task task) {
  if (IsTerminal(task.state)) open_tasks_.Own().erase(task.id);
  const TaskId id = task.id;
  tasks.Mutate(id) = std::move(task);
}

absl::Status Cluster::Apply(const ExperimentId& id, const ExperimentEvent& event, absl::Time now) {
  const Experiment* found = experiments.Find(id);
  if (found == nullptr) return Missing("experiment", id.str());
  return scm::Apply(event, now, experiments.Mutate(id));
}

absl::Status Cluster::Apply(const TaskId& id, const TaskEvent& event, const ApplyContext& context) {
  const Task* found = tasks.Find(id);
  if (found == nullptr) return Missing("task", id.str());
  SCM_ASSIGN_OR_RETURN(Task after, core::Apply(*found, event, context));
  SetTask(std::move(after));
  return absl::OkStatus();
}

absl::Status Cluster::Apply(const TaskId& id, const PackEvent& event, const ApplyContext& context) {
  const Task* found = tasks.Find(id);
  if (found == nullptr) return Missing("task", id.str());
  SCM_ASSIGN_OR_RETURN(Task after, core::Apply(*found, event, context));
  SetTask(std::move(after));
  return absl::OkStatus();
}

void Cluster::Apply(const TaskId& id, const AttemptEvent& event, absl::Time now) {
  scm::Apply(event, now, tasks.Mutate(id));
}

void Cluster::Apply(const RunId& id, const RunEvent& event) {
  scm::Apply(event, runs.Mutate(id));
  if (const auto* report = std::get_if<MetricsReported>(&event)) AddMetrics(id, *report);
}

// Every value is a row of its own, filed under the attempt that the run's task is at.
void Cluster::AddMetrics(const RunId& id, const MetricsReported& report) {
  const int64_t attempt = tasks.Find(runs.Find(id)->task)->attempts;
  for (const auto& [name, value] : report.metrics) {
    pending_.metrics.push_back({id.str(), attempt, report.step, name, value});
  }
}

void Cluster::Apply(const WorkerId& id, const WorkerEvent& event, absl::Time now) {
  scm::Apply(event, now, workers.Mutate(id));
}

void Cluster::Apply(const TrialId& id, const TrialEvent& event) {
  scm::Apply(event, trials.Mutate(id));
}

void Cluster::Apply(const std::string& checkpoint, const CheckpointEvent& event) {
  scm::Apply(event, checkpoints.Mutate(checkpoint));
}

void Cluster::Apply(const CertificateId& id, const CertificateEvent& event) {
  scm::Apply(event, certificates.Mutate(id));
}

}  // namespace scm::state
