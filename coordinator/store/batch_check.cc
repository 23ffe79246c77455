#include "coordinator/store/batch_check.h"

#include "absl/strings/str_cat.h"

namespace scm::store {

absl::Status CheckBatch(const WriteBatch& batch, int64_t last_event) {
  for (const EntityRow& row : batch.upserts) {
    if (row.id.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a row of table ", EntityTableName(row.table), " has no id"));
    }
  }
  for (const MetricRow& row : batch.metrics) {
    if (row.run.empty() || row.name.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("a metric has no run or no name (run \"",
                                                     row.run, "\", name \"", row.name, "\")"));
    }
  }
  for (const EventRow& event : batch.events) {
    if (event.sequence <= last_event) {
      return absl::InvalidArgumentError(absl::StrCat("event ", event.sequence, " (", event.kind,
                                                     ") comes after event ", last_event,
                                                     ": sequences must grow"));
    }
    last_event = event.sequence;
  }
  for (const auto& [request, answer] : batch.requests) {
    if (request.empty()) return absl::InvalidArgumentError("a request has no id");
  }
  return absl::OkStatus();
}

}  // namespace scm::store
