// Claims about seeds, runs, gates and the decision. Pure.
#pragma once

#include <vector>

#include "claims/claim.h"
#include "claims/clause.h"

namespace scm::claims {

std::vector<Claim> ReadCounts(const Clause& clause, const Facts& facts);

}  // namespace scm::claims
