// The JSON shapes of the command contract (docs/json.md), made from an immutable snapshot. Pure and
// thread-safe; one function a shape.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "coordinator/state/cluster.h"
#include "coordinator/store/state_store.h"

namespace scm::views {

// A text that is not known is null, never "".
Json TextOrNull(const std::string& text);

// What an id or a name stands for: itself if it exists, else the latest experiment of that name.
// NOT_FOUND suggests near names.
absl::StatusOr<std::string> ResolveId(const state::Snapshot& snapshot, absl::string_view id);

Json ListView(const state::Snapshot& snapshot);
absl::StatusOr<Json> StatusView(const state::Snapshot& snapshot, absl::string_view id);
// Of an experiment, stage is not filtered; of a run or trial, only that.
absl::StatusOr<Json> RunsView(const state::Snapshot& snapshot, absl::string_view id);
absl::StatusOr<Json> WhyView(const state::Snapshot& snapshot, absl::string_view id);
absl::StatusOr<Json> CheckpointsView(const state::Snapshot& snapshot, absl::string_view run);
Json WorkersView(const state::Snapshot& snapshot);
// Free and total slots, measured seconds a step by (experiment name, model, resources), and seconds
// that the evaluation of one model took.
Json InventoryView(const state::Snapshot& snapshot);
// [{"id","name","task","kind","bytes"}] in order of the tasks.
Json ArtifactNames(const state::Snapshot& snapshot, const ExperimentId& id);
// The artifacts with their files, and the adapters of the seeds by checkpoint.
absl::StatusOr<Json> ReportView(const state::Snapshot& snapshot, absl::string_view id);
// Points that are shown: rows of an attempt beyond the step from which a later one resumed are not.
Json MetricsView(const state::Snapshot& snapshot, const RunId& run,
                 const std::vector<store::StoredMetric>& rows);
// Which events are about an id: those of its experiment ("" = every one) with one of these subjects
// (none = all). A run and its task are told of under either name, a trial under those of its run.
struct EventFilter {
  std::string experiment;
  std::set<std::string> subjects;
};
EventFilter EventsAbout(const state::Snapshot& snapshot, absl::string_view id);
Json EventsView(const std::vector<store::EventRow>& rows, const EventFilter& filter = {});

}  // namespace scm::views
