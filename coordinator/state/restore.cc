// Cluster::Restore: rows back into records. What is damaged costs its own experiment, no more.
#include <algorithm>
#include <charconv>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "coordinator/state/cluster.h"
#include "coordinator/state/persist.h"
#include "coordinator/state/references.h"
#include "coordinator/state/table_writer.h"

namespace scm::state {
namespace {

// A trainer's report may be nested as deep as ParseReportJson allows, and is stored inside a row.
constexpr JsonLimits kRowLimits = {.depth = 256};
constexpr char kSetAsideRow[] = "set_aside";

// The first reason for each experiment that cannot go on.
using Broken = std::map<ExperimentId, std::string>;

template <typename Id, typename T>
absl::Status RestoreRow(const store::EntityRow& row, Table<Id, T>& table) {
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(row.body, "its body", kRowLimits));
  if (StringAt(json, "id") != row.id) {
    return absl::DataLossError(
        absl::StrCat("its body is that of \"", LineOf(StringAt(json, "id"), 100), "\""));
  }
  SCM_ASSIGN_OR_RETURN(T record, FromJson<T>(std::move(json)));
  const std::string experiment = ExperimentOf(record).str();
  if (experiment != row.experiment) {
    return absl::DataLossError(absl::StrCat("its body belongs to \"", LineOf(experiment, 100),
                                            "\", not to \"", row.experiment, "\""));
  }
  TableWriter::Insert(table, Id(row.id), std::move(record));
  return absl::OkStatus();
}

absl::Status RestoreValidations(const store::EntityRow& row, Table<RunId, Run>& runs) {
  const RunId id(row.id.substr(0, row.id.find('/')));
  if (runs.Find(id) == nullptr) return absl::DataLossError("its run is not there");
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(row.body, "its body", kRowLimits));
  Run& run = TableWriter::Mutate(runs, id);
  SCM_RETURN_IF_ERROR(ReadValidations(json, run));
  run.validations.MarkSaved();
  return absl::OkStatus();
}

absl::Status ReadRow(const store::EntityRow& row, Cluster& cluster) {
  if (row.table == store::EntityTable::kValidations) return RestoreValidations(row, cluster.runs);
  absl::Status status;
  ForEachTable(
      [&](store::EntityTable entity, auto& table) {
        if (entity == row.table) status = RestoreRow(row, table);
      },
      cluster);
  return status;
}

// Notes the experiments whose records of this table do not fit together.
template <typename Id, typename T>
void FindBroken(const Cluster& cluster, store::EntityTable entity, const Table<Id, T>& table,
                Broken& broken) {
  for (const auto& [id, record] : table.all()) {
    const ExperimentId experiment = ExperimentOf(*record);
    std::string problem = Dangling(cluster, *record);
    if (problem.empty() && cluster.experiments.Find(experiment) == nullptr) {
      problem = "its experiment is not there";
    }
    if (!problem.empty()) {
      broken.try_emplace(
          experiment, absl::StrCat(store::EntityTableName(entity), " ", RowId(id), ": ", problem));
    }
  }
}

template <typename Id, typename T, typename Predicate>
void ForgetIf(Table<Id, T>& table, const Predicate& is_out) {
  std::vector<Id> out;
  for (const auto& [id, record] : table.all()) {
    if (is_out(*record)) out.push_back(id);
  }
  for (const Id& id : out) TableWriter::Forget(table, id);
}

// The experiment alone stays, and says why.
void Strip(const ExperimentId& id, const std::string& reason, Cluster& cluster) {
  ForgetIf(cluster.checkpoints, [&](const CheckpointRecord& checkpoint) {
    const Run* run = cluster.runs.Find(checkpoint.run);
    return run != nullptr && run->experiment == id;
  });
  ForEachTable(
      [&id]<typename Id, typename T>(store::EntityTable, Table<Id, T>& table) {
        if constexpr (requires(const T& record) { record.experiment; }) {
          ForgetIf(table, [&id](const T& record) { return record.experiment == id; });
        }
      },
      cluster);
  if (cluster.experiments.Find(id) == nullptr) return;
  Experiment& experiment = TableWriter::Mutate(cluster.experiments, id);
  const std::string text = absl::StrCat("set aside: ", reason,
                                        "; its rows are kept in the store as they are "
                                        "(`scmctl doctor` lists them)");
  experiment.winner_trial = TrialId();
  experiment.reason =
      experiment.reason.empty() ? text : absl::StrCat(text, ". Before: ", experiment.reason);
  if (!IsTerminal(experiment.state)) experiment.state = State::kFailed;
}

// Stands for an experiment whose own row cannot be read.
Experiment Placeholder(const store::EntityRow& row) {
  Experiment experiment;
  experiment.id = ExperimentId(row.id);
  const absl::StatusOr<Json> body = ParseJson(row.body, "its body", kRowLimits);
  experiment.name = LineOf(body.ok() ? StringAt(*body, "name", row.id) : row.id, 100);
  experiment.spec = std::make_shared<ExperimentSpec>();
  experiment.state = State::kFailed;
  return experiment;
}

// Single records that refer to what is not there.
template <typename Id, typename T>
void SetAsideDangling(const Cluster& cluster, store::EntityTable entity, Table<Id, T>& table,
                      std::vector<SetAsideRow>& aside) {
  ForgetIf(table, [&](const T& record) {
    const std::string problem = Dangling(cluster, record);
    if (problem.empty()) return false;
    aside.push_back({store::EntityTableName(entity), RowId(record.id), "", problem});
    return true;
  });
}

// The number in "r-21" or "r-21/100"; 0 if there is none.
int64_t NumberIn(absl::string_view id) {
  int64_t number = 0;
  if (id.size() > 2 && id[1] == '-') {
    std::from_chars(id.data() + 2, id.data() + id.size(), number);
  }
  return number;
}

}  // namespace

void Cluster::RestoreMeta(const store::EntityRow& row, std::vector<SetAsideRow>& aside) {
  const absl::Status read = Guarded("its body", [&]() -> absl::Status {
    SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(row.body, "its body", kRowLimits));
    if (row.id == kClockRow) stored_clock_ = json;
    for (auto it = json.begin(); it != json.end(); ++it) {
      if (row.id == kCountersRow && it.key().size() == 1) {
        counters_[it.key()[0]] = IntegerAt(json, it.key(), 0);
      } else if (row.id == kSetAsideRow) {
        known_aside_.insert(it.key());
      }
    }
    return absl::OkStatus();
  });
  if (!read.ok()) {
    aside.push_back({store::EntityTableName(row.table), row.id, "", std::string(read.message())});
  }
}

std::vector<SetAsideRow> Cluster::Restore(const store::StoredState& stored) {
  std::vector<SetAsideRow> aside;
  Broken broken;
  for (const store::EntityRow& row : stored.entities) {
    if (row.table == store::EntityTable::kMeta) {
      RestoreMeta(row, aside);
      continue;
    }
    const absl::Status read = Guarded("its body", [&] { return ReadRow(row, *this); });
    if (read.ok()) continue;
    // Validations of a run that was set aside are not named beside it.
    if (row.table == store::EntityTable::kValidations &&
        broken.contains(ExperimentId(row.experiment))) {
      continue;
    }
    const std::string reason = LineOf(read.message(), 300);
    aside.push_back(
        {store::EntityTableName(row.table), LineOf(row.id, 100), row.experiment, reason});
    if (row.table == store::EntityTable::kExperiments) {
      TableWriter::Insert(experiments, ExperimentId(row.id), Placeholder(row));
    }
    if (LossOf(row.table) == Loss::kExperiment) {
      broken.try_emplace(ExperimentId(row.experiment),
                         absl::StrCat(aside.back().table, " ", aside.back().id, ": ", reason));
    }
  }
  const size_t unreadable = aside.size();
  ForEachTable(
      [&](store::EntityTable entity, const auto& table) {
        if (LossOf(entity) == Loss::kExperiment) FindBroken(*this, entity, table, broken);
      },
      *this);
  for (const auto& [id, reason] : broken) {
    Strip(id, reason, *this);
    const bool listed = std::any_of(
        aside.begin(), aside.begin() + unreadable,
        [&broken_id = id](const SetAsideRow& row) { return row.experiment == broken_id.str(); });
    if (!listed) aside.push_back({"experiments", id.str(), id.str(), reason});
  }
  ForEachTable(
      [&](store::EntityTable entity, auto& table) {
        if (LossOf(entity) == Loss::kRow) SetAsideDangling(*this, entity, table, aside);
      },
      *this);
  // No id is ever given twice, also where the counters were lost.
  for (const store::EntityRow& row : stored.entities) {
    if (row.id.empty() || row.table == store::EntityTable::kMeta) continue;
    int64_t& last = counters_[row.id[0]];
    last = std::max(last, NumberIn(row.id));
  }
  for (const auto& [id, task] : tasks.all()) {
    for (const Lease& lease : task->attempt ? task->attempt->ranks : std::vector<Lease>()) {
      int64_t& last = counters_[LeaseId::prefix];
      last = std::max(last, NumberIn(lease.id.str()));
    }
    counters_['#'] = std::max(counters_['#'], task->order);
  }
  for (const auto& [request, answer] : stored.requests) requests_[request] = answer;
  last_event_ = stored.last_event;
  RebuildIndices();
  // What was read is not dirty.
  ForEachTable([](store::EntityTable, auto& table) { table.ClearDirty(); }, *this);
  Publish(absl::InfinitePast());
  // Validations that an older version kept in their run's row move to rows of their own.
  std::vector<RunId> moving;
  for (const auto& [id, run] : runs.all()) {
    if (run->validations.saved_chunks() < run->validations.chunks().size()) moving.push_back(id);
  }
  for (const RunId& id : moving) TableWriter::Mutate(runs, id);
  return aside;
}

void Cluster::RebuildIndices() {
  std::multimap<int64_t, const Task*> in_order;
  for (const auto& [id, task] : tasks.all()) {
    in_order.emplace(task->order, task.get());
    if (!IsTerminal(task->state)) open_tasks_.Own().insert(id);
  }
  for (const auto& [order, task] : in_order) {
    tasks_of_.Own()[task->experiment].push_back(task->id);
  }
  for (const auto& [id, trial] : trials.all()) trials_of_[trial->experiment].push_back(id);
}

std::vector<SetAsideRow> Cluster::NewlySetAside(const std::vector<SetAsideRow>& rows) {
  std::vector<SetAsideRow> fresh;
  Json all = Json::object();
  std::set<std::string> keys;
  for (const SetAsideRow& row : rows) {
    const std::string key = absl::StrCat(row.table, " ", row.id);
    if (!keys.insert(key).second) continue;
    all.push_back({key, row.reason});
    if (!known_aside_.contains(key)) fresh.push_back(row);
  }
  if (keys != known_aside_) {
    pending_.upserts.push_back({store::EntityTable::kMeta, kSetAsideRow, "", DumpJson(all)});
    known_aside_ = std::move(keys);
  }
  return fresh;
}

}  // namespace scm::state
