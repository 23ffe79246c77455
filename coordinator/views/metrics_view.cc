#include <map>

#include "coordinator/views/views.h"

namespace scm::views {

// A row of attempt a at step x is shown unless a later attempt resumed from a step before x.
Json MetricsView(const state::Snapshot& snapshot, const RunId& run,
                 const std::vector<store::StoredMetric>& rows) {
  Json points = Json::array();
  const auto found = snapshot.runs->find(run);
  for (const store::StoredMetric& row : rows) {
    bool superseded = false;
    if (found != snapshot.runs->end()) {
      for (const auto& [attempt, step] : found->second->resumes) {
        superseded =
            superseded || (attempt > row.metric.attempt && (row.metric.step > step || step == 0));
      }
    }
    if (superseded) continue;
    points.push_back({{"attempt", row.metric.attempt},
                      {"step", row.metric.step},
                      {"name", row.metric.name},
                      {"value", JsonNumber(row.metric.value)}});
  }
  return {{"run", run.str()}, {"points", points}};
}

}  // namespace scm::views
