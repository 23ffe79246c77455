// The report's input: everything that is known of an experiment, as one JSON file
// (docs/report-data.md).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "coordinator/state/cluster.h"
#include "coordinator/store/state_store.h"

namespace scm::views {

// Pages of what the store holds, as its ReadMetrics and ReadEvents give them. Whoever is not on the
// store's thread fetches each page there, so that no report holds it up for longer than one.
struct ReportRows {
  std::function<absl::StatusOr<std::vector<store::StoredMetric>>(const std::string& run,
                                                                 int64_t after, int64_t limit)>
      metrics;
  std::function<absl::StatusOr<std::vector<store::EventRow>>(const std::string& experiment,
                                                             int64_t after, int64_t limit)>
      events;
};
// On the store's thread only.
ReportRows RowsOf(store::StateStore& store);

// Linear in the rows. Any thread on which `rows` may be called.
absl::StatusOr<Json> MakeReportData(const state::Snapshot& snapshot, const ReportRows& rows,
                                    const ExperimentId& id, const std::string& version);

}  // namespace scm::views
