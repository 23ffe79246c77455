// The report's input: everything that is known of an experiment, as one JSON file
// (docs/report-data.md).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "coordinator/controller/cluster.h"
#include "coordinator/controller/context.h"
#include "coordinator/store/state_store.h"

namespace scm {

// Reads metric pages and events from the store: on the store's thread only.
absl::StatusOr<Json> MakeReportData(const Snapshot& snapshot, StateStore& store,
                                    const ExperimentId& id, const std::string& version);

// Writes it as artifact "report_data-ATTEMPT" of the report task and returns its id.
absl::StatusOr<std::string> WriteReportData(ControllerContext& context, const Task& task);

}  // namespace scm
