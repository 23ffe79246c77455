#include "coordinator/store/memory_store.h"

#include <algorithm>

#include "common/status_macros.h"
#include "coordinator/store/batch_check.h"

namespace scm::store {

absl::Status MemoryStore::Commit(const WriteBatch& batch) {
  SCM_RETURN_IF_ERROR(CheckBatch(batch, events_.empty() ? 0 : events_.back().sequence));
  for (const EntityRow& row : batch.upserts) {
    Table& table = tables_[static_cast<size_t>(row.table)];
    const auto [entry, inserted] = table.position.try_emplace(row.id, next_position_);
    if (inserted) ++next_position_;
    table.rows[entry->second] = row;
  }
  for (const auto& [name, id] : batch.removals) {
    Table& table = tables_[static_cast<size_t>(name)];
    const auto entry = table.position.find(id);
    if (entry == table.position.end()) continue;
    table.rows.erase(entry->second);
    table.position.erase(entry);
  }
  for (const MetricRow& row : batch.metrics) {
    Series& series = metrics_[row.run];
    if (!series.keys.emplace(row.attempt, row.step, row.name).second) continue;
    series.rows.push_back({next_metric_++, row});
  }
  events_.insert(events_.end(), batch.events.begin(), batch.events.end());
  for (const auto& request : batch.requests) {
    if (request_ids_.insert(request.first).second) requests_.push_back(request);
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredState> MemoryStore::Load() {
  StoredState state;
  for (const Table& table : tables_) {
    for (const auto& [position, row] : table.rows) state.entities.push_back(row);
  }
  state.requests = requests_;
  state.last_event = events_.empty() ? 0 : events_.back().sequence;
  return state;
}

absl::StatusOr<std::vector<StoredMetric>> MemoryStore::ReadMetrics(absl::string_view run,
                                                                   int64_t after, int64_t limit) {
  std::vector<StoredMetric> page;
  const auto series = metrics_.find(std::string(run));
  if (series == metrics_.end()) return page;
  const std::vector<StoredMetric>& rows = series->second.rows;
  auto row = std::upper_bound(rows.begin(), rows.end(), after,
                              [](int64_t key, const StoredMetric& m) { return key < m.row; });
  for (; row != rows.end() && static_cast<int64_t>(page.size()) < limit; ++row) {
    page.push_back(*row);
  }
  return page;
}

absl::StatusOr<std::vector<EventRow>> MemoryStore::ReadEvents(absl::string_view experiment,
                                                              int64_t after, int64_t limit) {
  std::vector<EventRow> page;
  auto event = std::upper_bound(events_.begin(), events_.end(), after,
                                [](int64_t key, const EventRow& e) { return key < e.sequence; });
  for (; event != events_.end() && static_cast<int64_t>(page.size()) < limit; ++event) {
    if (experiment.empty() || absl::string_view(event->experiment) == experiment) {
      page.push_back(*event);
    }
  }
  return page;
}

}  // namespace scm::store
