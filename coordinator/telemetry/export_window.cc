#include "coordinator/telemetry/export_window.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "coordinator/state/snapshot_index.h"

namespace scm::telemetry {
namespace {

struct Candidate {
  const Run* run;
  core::RunStanding standing;
  int64_t order;  // of its task
};

// Smaller is more worth showing.
std::tuple<int, absl::Duration, int64_t> Rank(const Candidate& candidate) {
  const core::RunStanding& standing = candidate.standing;
  if (IsActive(standing.state)) return {0, absl::ZeroDuration(), -candidate.order};
  if (IsTerminal(standing.state)) {
    return {1, absl::UnixEpoch() - standing.ended_at, -candidate.order};
  }
  return {2, absl::ZeroDuration(), candidate.order};
}

}  // namespace

template <typename Id>
bool ExportWindow::Shown(std::map<Id, int>& scrapes, const Id& id, absl::Time ended_at,
                         absl::Time now) {
  const bool of_the_past = ended_at < started_ - kForgetAtStart;
  int& count = scrapes.try_emplace(id, of_the_past ? kMinScrapes : 0).first->second;
  if (count >= kMinScrapes && now - ended_at > kKeepEnded) return false;
  ++count;
  return true;
}

ExportWindow::Selection ExportWindow::Select(const state::Snapshot& snapshot, absl::Time now) {
  std::vector<Candidate> candidates;
  for (const auto& [id, run] : *snapshot.runs) {
    core::RunStanding standing = state::StandingOf(snapshot, *run);
    if (IsTerminal(standing.state) && !Shown(run_scrapes_, id, standing.ended_at, now)) continue;
    candidates.push_back({run.get(), std::move(standing), snapshot.tasks->at(run->task)->order});
  }
  Selection selection;
  if (candidates.size() > kMaxRuns) {
    selection.dropped_runs = candidates.size() - kMaxRuns;
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return Rank(a) < Rank(b); });
    candidates.resize(kMaxRuns);
    std::sort(candidates.begin(), candidates.end(),
              [](const Candidate& a, const Candidate& b) { return a.run->id < b.run->id; });
  }
  for (const Candidate& candidate : candidates) selection.runs.push_back(candidate.run);

  for (const auto& [id, experiment] : *snapshot.experiments) {
    selection.remembered.push_back(experiment.get());
    if (IsTerminal(experiment->state) &&
        !Shown(experiment_scrapes_, id, experiment->ended_at, now)) {
      continue;
    }
    selection.experiments.push_back(experiment.get());
  }
  // The latest are those that somebody looks at.
  for (auto* list : {&selection.experiments, &selection.remembered}) {
    if (list->size() > kMaxExperiments) list->erase(list->begin(), list->end() - kMaxExperiments);
  }
  return selection;
}

}  // namespace scm::telemetry
