// How long one answer takes, as a user of the model would feel it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "evaluator/test_set.h"
#include "trainer/compute/model.h"

namespace scm::evaluator {

inline constexpr int64_t kLatencyWarmUps = 10;

struct LatencyPlan {
  int64_t samples = 0;
  trainer::ExampleOptions examples;
  // Asked after each sample; false ends with CANCELLED.
  std::function<bool()> go_on;
};

// Milliseconds to answer single items of `task`, one after another: tokenisation of the prompt with
// every choice, scoring and comparison. kLatencyWarmUps untimed answers come first. The items take
// turns until there are enough samples, so a small test set can still be certified; their spread is
// then that of those items.
absl::StatusOr<std::vector<double>> MeasureLatency(const TestTask& task,
                                                   const model::Tokenizer& tokenizer,
                                                   const LatencyPlan& plan,
                                                   trainer::LlamaModel* model, Clock* clock);

}  // namespace scm::evaluator
