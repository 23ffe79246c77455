// Everything that can happen to a run's record. Its state is its task's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "coordinator/core/model.h"

namespace scm {

// A report at `step`: the metrics of it that are kept.
struct MetricsReported {
  int64_t step = 0;
  std::vector<std::pair<std::string, double>> metrics;
};
// From here on no further metric names are kept, and that was said.
struct NamesRefused {};
// A validation, or more of one: it takes the place of what its step has.
struct ValidationReported {
  ValidationRecord validation;
};
// Why `sweep.metric` is in no validation; "" = it is.
struct SweepMetricMissed {
  std::string why;
};
struct RunWarned {
  RunWarning warning;
};
// The searcher was told of this rung.
struct RungTold {
  int64_t step = 0;
};
// Which checkpointed step is evaluated, from now on.
struct BestStepFound {
  std::optional<int64_t> step;
};
// A new attempt starts from this step (0 = from nothing): what lies beyond belongs to an attempt
// that never got there.
struct RunRewound {
  int64_t attempt = 0, step = 0;
};

using RunEvent = std::variant<MetricsReported, NamesRefused, ValidationReported, SweepMetricMissed,
                              RunWarned, RungTold, BestStepFound, RunRewound>;

void Apply(const RunEvent& event, Run& run);

}  // namespace scm
