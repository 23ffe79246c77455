// The quantised base of a job: from the experiment's words to what the model does with them, and
// back to what logs and summaries say.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"
#include "experiment/spec.h"
#include "trainer/compute/model.h"
#include "trainer/compute/quantized_cache.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Where the quantised base of the job's model is kept, beside the digests that a worker's attempts
// share. Keeps nothing where there is no such directory, or the model was not recorded at
// submission.
QuantizedCache QuantizedCacheOf(const JobSpec& spec);

// One line for the log. `base` has matrices.
std::string DescribeQuantizedBase(const QuantizedBase& base);
// For summaries: {"type","parameters","bytes","bits_per_parameter","inverted_blocks"}, or null when
// the base is not quantised.
Json QuantizedBaseToJson(const QuantizedBase& base);
// What a user should know about it; empty where all is well.
std::vector<std::string> QuantizedBaseWarnings(const QuantizedBase& base);

}  // namespace scm::trainer
