// Which runs and experiments a scrape shows. Cardinality is bounded here.
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/state/cluster.h"

namespace scm::telemetry {

// Not thread-safe.
class ExportWindow {
 public:
  static constexpr size_t kMaxRuns = 200;
  static constexpr size_t kMaxExperiments = 200;
  static constexpr int kMinScrapes = 2;
  static constexpr absl::Duration kKeepEnded = absl::Minutes(10);
  // Who scraped before a restart is not known. What ended this long before the start is taken as
  // scraped, so that a restart does not bring back every run of the past.
  static constexpr absl::Duration kForgetAtStart = absl::Hours(1);

  explicit ExportWindow(absl::Time started) : started_(started) {}

  struct Selection {
    std::vector<const Run*> runs;                // in the order of their ids
    std::vector<const Experiment*> experiments;  // likewise
    // The latest experiments, however long ago they ended: what they came to stays to be seen.
    std::vector<const Experiment*> remembered;
    size_t dropped_runs = 0;  // by the limit
  };
  // Counts as one scrape. What has not ended is shown, what has ended for kKeepEnded and at least
  // kMinScrapes. Over the limit: running ones before ended ones (the latest first) before waiting
  // ones.
  Selection Select(const state::Snapshot& snapshot, absl::Time now);

 private:
  template <typename Id>
  bool Shown(std::map<Id, int>& scrapes, const Id& id, absl::Time ended_at, absl::Time now);

  absl::Time started_;
  std::map<RunId, int> run_scrapes_;  // since the end
  std::map<ExperimentId, int> experiment_scrapes_;
};

}  // namespace scm::telemetry
