// The coordinator's state in memory: immutable records behind shared pointers, copied on write,
// with a note of what changed since the last commit. Owned by the controller and used on its thread
// only; the Snapshot that it publishes may be read by any thread for ever.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/attempt_event.h"
#include "coordinator/core/experiment_event.h"
#include "coordinator/core/model.h"
#include "coordinator/core/pack.h"
#include "coordinator/core/record_event.h"
#include "coordinator/core/run_event.h"
#include "coordinator/core/task_event.h"
#include "coordinator/core/worker_event.h"
#include "coordinator/state/shared_map.h"
#include "coordinator/state/tables.h"
#include "coordinator/state/timeline.h"
#include "coordinator/store/state_store.h"

namespace scm::state {

// A value that snapshots share: copied on the first change after it was published.
template <typename T>
class Shared {
 public:
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  T& Own() {
    if (!owned_) {
      value_ = std::make_shared<T>(*value_);
      owned_ = true;
    }
    return *value_;
  }
  // As it is now, for a look within one call; it changes with the next Own.
  std::shared_ptr<const T> Share() const { return value_; }
  // What is changed from now on is a copy.
  std::shared_ptr<const T> Publish() {
    owned_ = false;
    return value_;
  }

 private:
  std::shared_ptr<T> value_ = std::make_shared<T>();
  bool owned_ = true;
};

template <typename Id, typename T>
class Table {
 public:
  // Every commit that changes something copies it.
  using Map = SharedMap<Id, std::shared_ptr<const T>>;

  const T* Find(const Id& id) const {
    const auto it = map_->find(id);
    return it == map_->end() ? nullptr : it->second.get();
  }
  const Map& all() const { return *map_; }
  // What changed since the last ClearDirty.
  const std::set<Id>& dirty() const { return dirty_; }
  void ClearDirty() { dirty_.clear(); }
  std::shared_ptr<const Map> Share() const { return map_.Share(); }
  std::shared_ptr<const Map> Publish() {
    fresh_.clear();
    replaced_.clear();
    return map_.Publish();
  }

 private:
  // Records change through events alone (Cluster::Apply): nobody else writes to a table.
  friend class Cluster;
  friend class TableWriter;

  // A private copy to change; it takes the record's place at once. `id` must exist.
  T& Mutate(const Id& id) {
    dirty_.insert(id);
    if (fresh_.insert(id).second) {
      std::shared_ptr<const T>& held = map_.Own()[id];
      replaced_.push_back(held);
      held = std::make_shared<T>(*held);
    }
    return const_cast<T&>(*map_->at(id));  // the copy made above, which nobody else has seen
  }
  T& Insert(const Id& id, T value) {
    map_.Own()[id] = std::make_shared<T>(std::move(value));
    dirty_.insert(id);
    fresh_.insert(id);
    return const_cast<T&>(*map_->at(id));
  }
  // Not there any more for anyone here; its row in the store stays as it is.
  void Forget(const Id& id) {
    map_.Own().erase(id);
    dirty_.erase(id);
    fresh_.erase(id);
  }

  Shared<Map> map_;
  std::set<Id> dirty_;
  std::set<Id> fresh_;  // copied since the last Publish: nobody else has seen them
  // What copies took the place of since then: whoever looked at it, or took `id` from it, may still
  // hold it.
  std::vector<std::shared_ptr<const T>> replaced_;
};

using WaitingReasons = std::map<TaskId, std::string>;

// In order of submission.
using TasksOfExperiments = SharedMap<ExperimentId, std::vector<TaskId>>;

// A stored row that cannot be used, or refers to something that is not there. It stays in the store
// untouched, and nothing here knows of it any more.
struct SetAsideRow {
  std::string table, id;
  std::string experiment;  // "" where it belongs to none
  std::string reason;
};

// What is known about the store itself.
struct StoreHealth {
  std::vector<SetAsideRow> set_aside;  // at the start of this process
  absl::Time checked_at = absl::InfinitePast();
  store::StoreCheck check;
};

// A table as of one moment.
template <typename Id, typename T>
using Published = std::shared_ptr<const typename Table<Id, T>::Map>;

// Everything that queries read: `experiments`, `trials` and so on, a map for each table. Immutable.
struct Snapshot : PerTable<Published> {
  absl::Time at;  // the coordinator's own time, as all times in the records
  std::shared_ptr<const Timeline> timeline = std::make_shared<const Timeline>();
  // Indices, so that no query passes over the tasks of experiments that ended long ago.
  std::shared_ptr<const TasksOfExperiments> tasks_of;
  std::shared_ptr<const std::set<TaskId>> open_tasks;  // not terminal
  // Why waiting tasks wait, from the scheduler's last decision.
  std::shared_ptr<const WaitingReasons> waiting_reasons = std::make_shared<WaitingReasons>();
  // What attempts that run wait for, where their workers say so.
  std::shared_ptr<const WaitingReasons> waiting_for = std::make_shared<WaitingReasons>();
  bool store_full = false;  // the disk is full: nothing new is accepted
  std::shared_ptr<const StoreHealth> store_health = std::make_shared<StoreHealth>();
};

// `experiments`, `trials` and so on, a Table for each.
class Cluster : public PerTable<Table> {
 public:
  const Timeline& timeline() const { return *timeline_; }
  // Goes on where the restored rows say that the time stood; `boot` as in Timeline.
  void ResumeTime(const ClockReading& reading, std::string boot);
  // Where the wall clock was set: times of day follow it from now on. By how much it was.
  std::optional<absl::Duration> FollowWallClock(const ClockReading& reading);

  // The next id of this kind, e.g. NewId<RunId>().
  template <typename Id>
  Id NewId() {
    return Id::FromNumber(NextNumber(Id::prefix));
  }
  int64_t NextNumber(char prefix);
  int64_t NextOrder() { return NextNumber('#'); }
  // The last number given out.
  int64_t LastNumber(char prefix) const;
  // Somebody has seen this number: the next one is higher.
  void RaiseNumber(char prefix, int64_t number);

  // `at` is the coordinator's own time; the event is stamped with the time of day.
  void AddEvent(absl::Time at, const ExperimentId& experiment, std::string subject,
                std::string kind, std::string text, Json body = Json::object());
  void AddRequest(const std::string& request, const std::string& experiment);
  // The experiment that this request made; null where it made none.
  const std::string* ExperimentOfRequest(const std::string& request) const;

  // The reducer (reduce.cc): records come in through Add and Put and change through Apply, and
  // outside of this folder in no other way (TableWriter). ALREADY_EXISTS, and nothing changed,
  // where there is a record of this id.
  template <typename Record>
  absl::Status Add(Record record) {
    absl::Status added;
    ForEachTable(
        [&]<typename Id, typename T>(store::EntityTable, Table<Id, T>& table) {
          if constexpr (std::is_same_v<T, Record>) {
            const Id id(record.id);
            if (table.Find(id) != nullptr) {
              added = absl::AlreadyExistsError("there is a record " + RowId(id) + " already");
              return;
            }
            Index(record);
            table.Insert(id, std::move(record));
          }
        },
        *this);
    return added;
  }
  // What a blob is. Its name comes from its task or run: one that is stored again, because it was
  // damaged or its task runs once more, takes the place of the earlier one.
  void Put(CheckpointRecord checkpoint);
  void Put(ArtifactRecord artifact);
  // What an event does is said by the core's Apply for it; the ids must exist, but for an
  // experiment's and a TaskEvent's (NOT_FOUND). FAILED_PRECONDITION, and nothing changed, where the
  // state does not allow the event.
  absl::Status Apply(const ExperimentId& id, const ExperimentEvent& event, absl::Time now);
  absl::Status Apply(const TaskId& id, const TaskEvent& event, const ApplyContext& context);
  absl::Status Apply(const TaskId& id, const PackEvent& event, const ApplyContext& context);
  void Apply(const TaskId& id, const AttemptEvent& event, absl::Time now);
  void Apply(const RunId& id, const RunEvent& event);
  void Apply(const WorkerId& id, const WorkerEvent& event, absl::Time now);
  void Apply(const TrialId& id, const TrialEvent& event);
  void Apply(const std::string& checkpoint, const CheckpointEvent& event);
  void Apply(const CertificateId& id, const CertificateEvent& event);
  // Not terminal; in id order.
  const std::set<TaskId>& open_tasks() const { return *open_tasks_; }
  // Open tasks under a lease on this worker.
  std::vector<TaskId> HeldBy(const WorkerId& worker) const;
  // In order of creation.
  const std::vector<TrialId>& TrialsOf(const ExperimentId& id) const;

  // Rows for everything that changed since the last call, and where the time stands now.
  store::WriteBatch TakeBatch(const ClockReading& reading);
  Snapshot Publish(absl::Time now);
  // The same, of uncommitted state: for the controller's own use within one call.
  Snapshot View(absl::Time now) const;

  // Records of one experiment, in order of creation.
  std::vector<const Task*> TasksOf(const ExperimentId& id) const;
  std::vector<const Run*> RunsOf(const ExperimentId& id) const;

  // Replaces everything by what the store holds. Rows that cannot be used are returned. An
  // experiment that lacks one of its trials, runs or tasks is shown as FAILED without any of them
  // (one that had ended stays as it ended), and is not written again; every other one goes on.
  std::vector<SetAsideRow> Restore(const store::StoredState& stored);
  // Those among `rows` that no earlier Restore returned; noted in the store with the next batch.
  std::vector<SetAsideRow> NewlySetAside(const std::vector<SetAsideRow>& rows);

 private:
  void Index(const Task& task);
  void Index(const Trial& trial);
  void Index(const auto&) {}
  // After a transition.
  void SetTask(Task task);
  void AddMetrics(const RunId& id, const MetricsReported& report);
  static constexpr char kCountersRow[] = "counters";
  // Of kMeta: where the coordinator's time stood at the commit.
  static constexpr char kClockRow[] = "clock";

  void RestoreMeta(const store::EntityRow& row, std::vector<SetAsideRow>& aside);
  void RebuildIndices();
  // A snapshot of what `take` makes of each table.
  template <typename Self, typename Take>
  static Snapshot Collect(Self& cluster, absl::Time now, Take take);

  // Indices, so that no look has to pass over the tasks and trials of experiments that ended long
  // ago.
  Shared<TasksOfExperiments> tasks_of_;
  std::map<ExperimentId, std::vector<TrialId>> trials_of_;
  Shared<std::set<TaskId>> open_tasks_;
  std::map<char, int64_t> counters_;
  bool counters_dirty_ = false;
  std::map<std::string, std::string> requests_;  // request id → experiment id
  std::shared_ptr<const Timeline> timeline_ = std::make_shared<const Timeline>();
  // Where the time stood, for the timeline that goes on from it; null at a first start.
  Json stored_clock_;
  int64_t last_event_ = 0;
  std::set<std::string> known_aside_;  // "TABLE ID" of what was set aside before
  store::WriteBatch pending_;          // rows that are not entities
};

}  // namespace scm::state
