// The metric names of the contract (docs/metrics.md), in one place: made from an immutable
// snapshot, so a scrape never waits for the controller or the store. Thread-safe.
#pragma once

#include <prometheus/collectable.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/rpc/rpc_metrics.h"
#include "coordinator/state/cluster.h"
#include "coordinator/telemetry/export_window.h"

namespace scm::telemetry {

class CoordinatorMetrics : public prometheus::Collectable {
 public:
  struct Sources {
    std::function<std::shared_ptr<const state::Snapshot>()> snapshot;
    std::function<rpc::RpcMetrics::Values()> rpc;
    std::function<absl::Time()> now;
  };
  explicit CoordinatorMetrics(Sources sources)
      : sources_(std::move(sources)), window_(sources_.now()) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  ExportWindow::Selection Select(const state::Snapshot& snapshot) const;

  const Sources sources_;
  mutable std::mutex mutex_;
  mutable ExportWindow window_;
};

}  // namespace scm::telemetry
