#include "coordinator/state/cluster.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/state/persist.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/state/table_writer.h"

namespace scm::state {
namespace {

template <typename Id, typename T>
void AddRows(store::EntityTable name, Table<Id, T>& table, store::WriteBatch& batch) {
  for (const Id& id : table.dirty()) {
    const T& record = *table.Find(id);
    batch.upserts.push_back(
        {name, RowId(id), ExperimentOf(record).str(), DumpJson(ToJson(record))});
  }
  table.ClearDirty();
}

std::string ChunkId(const RunId& run, size_t chunk) { return absl::StrCat(run.str(), "/", chunk); }

// What is new of the runs' validations: the chunks that have changed, and none twice.
void AddValidations(Table<RunId, Run>& runs, store::WriteBatch& batch) {
  for (const RunId& id : runs.dirty()) {
    const Run& run = *runs.Find(id);
    const auto& chunks = run.validations.chunks();
    const size_t held = run.validations.saved_chunks();
    if (run.validations.first_unsaved() == chunks.size() && held == chunks.size()) continue;
    for (size_t i = run.validations.first_unsaved(); i < chunks.size(); ++i) {
      batch.upserts.push_back({store::EntityTable::kValidations, ChunkId(id, i),
                               run.experiment.str(), DumpJson(ToJson(*chunks[i]))});
    }
    for (size_t i = chunks.size(); i < held; ++i) {
      batch.removals.emplace_back(store::EntityTable::kValidations, ChunkId(id, i));
    }
    TableWriter::Mutate(runs, id).validations.MarkSaved();
  }
}

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
  pending_.events.push_back({++last_event_, Rfc3339(timeline_->Stamp(at)), experiment.str(),
                             std::move(subject), std::move(kind), std::move(text), DumpJson(body)});
}

void Cluster::AddRequest(const std::string& request, const std::string& experiment) {
  requests_[request] = experiment;
  pending_.requests.emplace_back(request, experiment);
}

const std::string* Cluster::ExperimentOfRequest(const std::string& request) const {
  const auto found = requests_.find(request);
  return found == requests_.end() ? nullptr : &found->second;
}

void Cluster::ResumeTime(const ClockReading& reading, std::string boot) {
  timeline_ = std::make_shared<const Timeline>(stored_clock_, reading, std::move(boot));
}

std::optional<absl::Duration> Cluster::FollowWallClock(const ClockReading& reading) {
  const std::optional<absl::Duration> jump = timeline_->Jump(reading);
  if (jump) {
    auto set = std::make_shared<Timeline>(*timeline_);
    set->SetTo(reading);
    timeline_ = std::move(set);
  }
  return jump;
}

store::WriteBatch Cluster::TakeBatch(const ClockReading& reading) {
  store::WriteBatch batch = std::move(pending_);
  pending_ = store::WriteBatch();
  AddValidations(runs, batch);
  ForEachTable([&batch](store::EntityTable entity, auto& table) { AddRows(entity, table, batch); },
               *this);
  if (counters_dirty_) {
    Json body = Json::object();
    for (const auto& [prefix, number] : counters_) body[std::string(1, prefix)] = number;
    batch.upserts.push_back({store::EntityTable::kMeta, kCountersRow, "", DumpJson(body)});
    counters_dirty_ = false;
  }
  if (!batch.empty()) {
    batch.upserts.push_back(
        {store::EntityTable::kMeta, kClockRow, "", DumpJson(timeline_->ToJson(reading))});
  }
  return batch;
}

template <typename Self, typename Take>
Snapshot Cluster::Collect(Self& cluster, absl::Time now, Take take) {
  Snapshot snapshot;
  snapshot.at = now;
  snapshot.timeline = cluster.timeline_;
  ForEachTable([&take](store::EntityTable, auto& table, auto& copy) { copy = take(table); },
               cluster, snapshot);
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

std::vector<TaskId> Cluster::HeldBy(const WorkerId& worker) const {
  std::vector<TaskId> held;
  for (const TaskId& id : *open_tasks_) {
    const Task& task = *tasks.Find(id);
    if (HasRankOn(task, worker)) held.push_back(id);
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
    for (const RunId& run : core::RunsIn(*task)) found.push_back(runs.Find(run));
  }
  return found;
}

}  // namespace scm::state
