// From a clause to what it states. Whatever states a result and cannot be understood becomes a
// claim that nothing supports: no sentence passes because it was not read. Pure.
#pragma once

#include <vector>

#include "claims/claim.h"
#include "claims/clause.h"

namespace scm::claims {

// What the sentences before it in the paragraph spoke of.
struct ReadingContext {
  std::vector<int> tasks;
  bool all_tasks = false;
  std::vector<int> baselines;
  int direction = 0;  // of the last comparison
};

// Without claims: the clause states no result.
std::vector<Claim> ReadClaims(const Clause& clause, const Facts& facts, ReadingContext* context);

}  // namespace scm::claims
