#include "coordinator/telemetry/export_window.h"

#include <algorithm>
#include <tuple>

namespace scm::telemetry {
namespace {

struct Candidate {
  const Run* run;
  const Task* task;
};

// Smaller is more worth showing.
std::tuple<int, absl::Duration, int64_t> Rank(const Candidate& candidate) {
  const Task& task = *candidate.task;
  if (IsActive(task.state)) return {0, absl::ZeroDuration(), -task.order};
  if (IsTerminal(task.state)) return {1, absl::UnixEpoch() - task.ended_at, -task.order};
  return {2, absl::ZeroDuration(), task.order};
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
    const Task& task = *snapshot.tasks->at(run->task);
    if (IsTerminal(task.state) && !Shown(run_scrapes_, id, task.ended_at, now)) continue;
    candidates.push_back({run.get(), &task});
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
