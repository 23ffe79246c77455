// Answers to the user's questions (proto/scm/v1/answers.proto), made from an immutable snapshot.
// Pure and thread-safe; one function a question. An optional field is set where its value is known.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/cluster.h"
#include "coordinator/store/state_store.h"
#include "scm/v1/answers.pb.h"

namespace scm::views {

// What an id or a name stands for: itself if it exists, else the latest experiment of that name.
// NOT_FOUND suggests near names.
absl::StatusOr<std::string> ResolveId(const state::Snapshot& snapshot, absl::string_view id);

v1::ExperimentsAnswer ListView(const state::Snapshot& snapshot);
absl::StatusOr<v1::StatusAnswer> StatusView(const state::Snapshot& snapshot, absl::string_view id);
// Of an experiment, stage is not filtered; of a run or trial, only that.
absl::StatusOr<v1::RunsAnswer> RunsView(const state::Snapshot& snapshot, absl::string_view id);
absl::StatusOr<v1::WhyAnswer> WhyView(const state::Snapshot& snapshot, absl::string_view id);
absl::StatusOr<v1::CheckpointsAnswer> CheckpointsView(const state::Snapshot& snapshot,
                                                      absl::string_view run);
v1::WorkersAnswer WorkersView(const state::Snapshot& snapshot);
// Free and total slots, measured seconds a step by (experiment name, model, resources), and seconds
// that the evaluation of one model took.
v1::InventoryAnswer InventoryView(const state::Snapshot& snapshot);
// In order of the tasks.
std::vector<v1::ArtifactListing> ArtifactNames(const state::Snapshot& snapshot,
                                               const ExperimentId& id);
// The artifacts with their files, and the adapters of the seeds by checkpoint.
absl::StatusOr<v1::ArtifactsAnswer> ReportView(const state::Snapshot& snapshot,
                                               absl::string_view id);
// Whether a row is shown: those of an attempt beyond the step from which a later one resumed are
// not.
bool IsShown(const Run& run, const store::StoredMetric& row);
// Points that are shown.
v1::MetricsAnswer MetricsView(const state::Snapshot& snapshot, const RunId& run,
                              const std::vector<store::StoredMetric>& rows);
// Which events are about an id: those of its experiment ("" = every one) with one of these subjects
// (none = all). A run and its task are told of under either name, a trial under those of its run.
struct EventFilter {
  std::string experiment;
  std::set<std::string> subjects;
};
EventFilter EventsAbout(const state::Snapshot& snapshot, absl::string_view id);
v1::EventsAnswer EventsView(const std::vector<store::EventRow>& rows,
                            const EventFilter& filter = {});

}  // namespace scm::views
