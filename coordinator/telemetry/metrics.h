// The metric names of the contract (docs/metrics.md), in one place: made from an immutable snapshot,
// so a scrape never waits for the controller or the store. Thread-safe.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/controller/cluster.h"
#include "coordinator/rpc/rpc_metrics.h"

namespace scm {

class CoordinatorMetrics : public prometheus::Collectable {
 public:
  struct Sources {
    std::function<std::shared_ptr<const Snapshot>()> snapshot;
    std::function<RpcMetrics::Values()> rpc;
    std::function<absl::Time()> now;
  };
  explicit CoordinatorMetrics(Sources sources) : sources_(std::move(sources)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  // Runs that are exported: active ones, and ended ones for ten minutes and at least two scrapes, the
  // latest first where there are more than the limit.
  std::vector<const Run*> ExportedRuns(const Snapshot& snapshot, absl::Time now) const;

  Sources sources_;
  mutable std::mutex mutex_;
  mutable std::map<RunId, int> scrapes_since_end_;
};

}  // namespace scm
