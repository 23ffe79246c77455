#include <algorithm>

#include "coordinator/views/views.h"

namespace scm::views {

// A row of attempt a at step x is shown unless a later attempt resumed from a step before x.
bool IsShown(const Run& run, const store::StoredMetric& row) {
  return std::none_of(run.resumes.begin(), run.resumes.end(), [&](const auto& resume) {
    const auto& [attempt, step] = resume;
    return attempt > row.metric.attempt && (row.metric.step > step || step == 0);
  });
}

v1::MetricsAnswer MetricsView(const state::Snapshot& snapshot, const RunId& run,
                              const std::vector<store::StoredMetric>& rows) {
  v1::MetricsAnswer answer;
  answer.set_run(run.str());
  const auto found = snapshot.runs->find(run);
  for (const store::StoredMetric& row : rows) {
    if (found != snapshot.runs->end() && !IsShown(*found->second, row)) continue;
    v1::MetricPoint& point = *answer.add_points();
    point.set_attempt(row.metric.attempt);
    point.set_step(row.metric.step);
    point.set_name(row.metric.name);
    point.set_value(row.metric.value);
  }
  return answer;
}

}  // namespace scm::views
