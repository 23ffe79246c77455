#include "coordinator/controller/cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "coordinator/controller/persist.h"

namespace scm {
namespace {

std::string Text(const std::string& id) { return id; }
template <char kPrefix>
std::string Text(const Id<kPrefix>& id) {
  return id.str();
}

std::string ExperimentOf(const Experiment& e) { return e.id.str(); }
std::string ExperimentOf(const Trial& t) { return t.experiment.str(); }
std::string ExperimentOf(const Run& r) { return r.experiment.str(); }
std::string ExperimentOf(const Task& t) { return t.experiment.str(); }
std::string ExperimentOf(const Worker&) { return ""; }
std::string ExperimentOf(const CheckpointRecord&) { return ""; }
std::string ExperimentOf(const ArtifactRecord& a) { return a.experiment.str(); }
std::string ExperimentOf(const CertificateRecord& c) { return c.experiment.str(); }

template <typename Id, typename T>
void AddRows(EntityTable name, Table<Id, T>& table, WriteBatch& batch) {
  for (const Id& id : table.dirty()) {
    const T& record = *table.Find(id);
    batch.upserts.push_back({name, Text(id), ExperimentOf(record), DumpJson(ToJson(record))});
  }
  table.ClearDirty();
}

template <typename Id, typename T>
absl::Status RestoreRow(const EntityRow& row, absl::StatusOr<T> (*read)(const Json&),
                        Table<Id, T>& table) {
  SCM_ASSIGN_OR_RETURN(
      const Json json,
      ParseJson(row.body, absl::StrCat(EntityTableName(row.table), " ", row.id, " in the store")));
  SCM_ASSIGN_OR_RETURN(T record, read(json));
  table.Insert(Id(row.id), std::move(record));
  return absl::OkStatus();
}

constexpr char kCounters[] = "counters";
// The row of kMeta that says where the coordinator's time stood at the commit.
constexpr char kClock[] = "clock";

}  // namespace

int64_t Cluster::NextNumber(char prefix) {
  counters_dirty_ = true;
  return ++counters_[prefix];
}

int64_t Cluster::LastNumber(char prefix) const {
  const auto counter = counters_.find(prefix);
  return counter == counters_.end() ? 0 : counter->second;
}

void Cluster::RaiseNumber(char prefix, int64_t number) {
  if (number <= LastNumber(prefix)) return;
  counters_[prefix] = number;
  counters_dirty_ = true;
}

void Cluster::AddEvent(absl::Time at, const ExperimentId& experiment, std::string subject,
                       std::string kind, std::string text, Json body) {
  pending_.events.push_back({++last_event_, Rfc3339(timeline->Stamp(at)), experiment.str(),
                             std::move(subject), std::move(kind), std::move(text), DumpJson(body)});
}

void Cluster::AddRequest(const std::string& request, const std::string& experiment) {
  requests[request] = experiment;
  pending_.requests.emplace_back(request, experiment);
}

WriteBatch Cluster::TakeBatch(const ClockReading& reading) {
  WriteBatch batch = std::move(pending_);
  pending_ = WriteBatch();
  AddRows(EntityTable::kExperiments, experiments, batch);
  AddRows(EntityTable::kTrials, trials, batch);
  AddRows(EntityTable::kRuns, runs, batch);
  AddRows(EntityTable::kTasks, tasks, batch);
  AddRows(EntityTable::kWorkers, workers, batch);
  AddRows(EntityTable::kCheckpoints, checkpoints, batch);
  AddRows(EntityTable::kArtifacts, artifacts, batch);
  AddRows(EntityTable::kCertificates, certificates, batch);
  if (counters_dirty_) {
    Json body = Json::object();
    for (const auto& [prefix, number] : counters_) body[std::string(1, prefix)] = number;
    batch.upserts.push_back({EntityTable::kMeta, kCounters, "", DumpJson(body)});
    counters_dirty_ = false;
  }
  if (!batch.empty()) {
    batch.upserts.push_back({EntityTable::kMeta, kClock, "", DumpJson(timeline->ToJson(reading))});
  }
  return batch;
}

template <typename Self, typename Take>
Snapshot Cluster::Collect(Self& cluster, absl::Time now, Take take) {
  Snapshot snapshot;
  snapshot.at = now;
  snapshot.timeline = cluster.timeline;
  snapshot.experiments = take(cluster.experiments);
  snapshot.trials = take(cluster.trials);
  snapshot.runs = take(cluster.runs);
  snapshot.tasks = take(cluster.tasks);
  snapshot.workers = take(cluster.workers);
  snapshot.checkpoints = take(cluster.checkpoints);
  snapshot.artifacts = take(cluster.artifacts);
  snapshot.certificates = take(cluster.certificates);
  snapshot.tasks_of = take(cluster.tasks_of_);
  snapshot.open_tasks = take(cluster.open_tasks_);
  return snapshot;
}

Snapshot Cluster::Publish(absl::Time now) {
  return Collect(*this, now, [](auto& part) { return part.Publish(); });
}

Snapshot Cluster::View(absl::Time now) const {
  return Collect(*this, now, [](const auto& part) { return part.Share(); });
}

Task& Cluster::AddTask(Task task) {
  const TaskId id = task.id;
  tasks_of_.Own()[task.experiment].push_back(id);
  if (!IsTerminal(task.state)) open_tasks_.Own().insert(id);
  return tasks.Insert(id, std::move(task));
}

Trial& Cluster::AddTrial(Trial trial) {
  const TrialId id = trial.id;
  trials_of_[trial.experiment].push_back(id);
  return trials.Insert(id, std::move(trial));
}

void Cluster::SetTask(Task task) {
  if (IsTerminal(task.state)) open_tasks_.Own().erase(task.id);
  const TaskId id = task.id;
  tasks.Mutate(id) = std::move(task);
}

std::vector<TaskId> Cluster::HeldBy(const WorkerId& worker) const {
  std::vector<TaskId> held;
  for (const TaskId& id : *open_tasks_) {
    const Task& task = *tasks.Find(id);
    if (task.lease && task.lease->worker == worker) held.push_back(id);
  }
  return held;
}

const std::vector<TrialId>& Cluster::TrialsOf(const ExperimentId& id) const {
  static const auto* const none = new std::vector<TrialId>();
  const auto found = trials_of_.find(id);
  return found == trials_of_.end() ? *none : found->second;
}

std::vector<const Task*> Cluster::TasksOf(const ExperimentId& id) const {
  std::vector<const Task*> list;
  const auto found = tasks_of_->find(id);
  if (found == tasks_of_->end()) return list;
  for (const TaskId& task : found->second) list.push_back(tasks.Find(task));
  return list;
}

std::vector<const Run*> Cluster::RunsOf(const ExperimentId& id) const {
  std::vector<const Run*> found;
  for (const Task* task : TasksOf(id)) {
    if (!task->run.empty()) found.push_back(runs.Find(task->run));
  }
  return found;
}

absl::Status Cluster::Restore(const StoredState& stored) {
  for (const EntityRow& row : stored.entities) {
    absl::Status status;
    switch (row.table) {
      case EntityTable::kExperiments:
        status = RestoreRow(row, ExperimentFromJson, experiments);
        break;
      case EntityTable::kTrials:
        status = RestoreRow(row, TrialFromJson, trials);
        break;
      case EntityTable::kRuns:
        status = RestoreRow(row, RunFromJson, runs);
        break;
      case EntityTable::kTasks:
        status = RestoreRow(row, TaskFromJson, tasks);
        break;
      case EntityTable::kWorkers:
        status = RestoreRow(row, WorkerFromJson, workers);
        break;
      case EntityTable::kCheckpoints:
        status = RestoreRow(row, CheckpointFromJson, checkpoints);
        break;
      case EntityTable::kArtifacts:
        status = RestoreRow(row, ArtifactFromJson, artifacts);
        break;
      case EntityTable::kCertificates:
        status = RestoreRow(row, CertificateFromJson, certificates);
        break;
      case EntityTable::kMeta: {
        SCM_ASSIGN_OR_RETURN(
            const Json json,
            ParseJson(row.body, absl::StrCat("the row ", row.id, " of meta in the store")));
        if (row.id == kClock) stored_clock_ = json;
        if (row.id != kCounters) break;
        for (auto it = json.begin(); it != json.end(); ++it) {
          counters_[it.key()[0]] = it.value().get<int64_t>();
        }
        break;
      }
    }
    SCM_RETURN_IF_ERROR(status);
  }
  for (const auto& [request, answer] : stored.requests) requests[request] = answer;
  last_event_ = stored.last_event;
  for (const auto& [id, task] : tasks.all()) {
    tasks_of_.Own()[task->experiment].push_back(id);
    if (!IsTerminal(task->state)) open_tasks_.Own().insert(id);
  }
  for (auto& [id, list] : tasks_of_.Own()) {
    std::sort(list.begin(), list.end(), [this](const TaskId& a, const TaskId& b) {
      return tasks.Find(a)->order < tasks.Find(b)->order;
    });
  }
  for (const auto& [id, trial] : trials.all()) trials_of_[trial->experiment].push_back(id);
  TakeBatch({});  // what was read is not dirty
  Publish(absl::InfinitePast());
  return absl::OkStatus();
}

}  // namespace scm
