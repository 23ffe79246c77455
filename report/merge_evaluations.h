// One evaluation.json of several that scored the same test items with different models. Pure.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::report {

// Models come base, seeds, other models, predictions, each in the order of `parts`; of the memory
// figures the largest holds. Null for no parts. INVALID_ARGUMENT where parts differ in their items,
// or score a model of the same name.
absl::StatusOr<Json> MergeEvaluations(const std::vector<Json>& parts);

}  // namespace scm::report
