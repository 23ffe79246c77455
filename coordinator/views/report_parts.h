// Parts of report_data.json that say what was trained and what came of it (docs/report-data.md).
// Made from a snapshot; thread-safe.
#pragma once

#include "common/json.h"
#include "coordinator/state/cluster.h"

namespace scm::views {

// Every trial with its parameters, the value it was ranked by and how it ended, best first; null
// without a sweep.
Json SweepPart(const state::Snapshot& snapshot, const Experiment& experiment, const Json& runs);

// data_check.json of the stage check, read from its artifact; null where there is none that can be
// read.
Json DataCheckPart(const state::Snapshot& snapshot, const ExperimentId& id);

// What the check at submission and the stage check warned of, each once.
Json WarningsPart(const state::Snapshot& snapshot, const Experiment& experiment);

// Which seed was exported, and how far; null without a task that exports.
Json ExportPart(const state::Snapshot& snapshot, const ExperimentId& id);

}  // namespace scm::views
