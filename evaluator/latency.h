// How long one answer takes, as a user of the model would feel it.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "evaluator/test_set.h"
#include "trainer/model.h"

namespace scm {

inline constexpr int64_t kLatencyWarmUps = 10;
inline constexpr int64_t kLatencySamples = 128;  // at most; one an item

// Milliseconds to answer single items of `task`, one after another: tokenisation of the prompt with
// every choice, scoring and comparison. Each item is timed once, after kLatencyWarmUps untimed
// ones.
absl::StatusOr<std::vector<double>> MeasureLatency(const TestTask& task, const Tokenizer& tokenizer,
                                                   int64_t max_length, LlamaModel* model,
                                                   Clock* clock);

// Largest resident size of this process so far in bytes; 0 where the system does not tell.
int64_t PeakResidentBytes();

}  // namespace scm
