// Estimates and gates as the report's JSON holds them; a number that does not exist is null.
#pragma once

#include "common/json.h"
#include "statistics/gates.h"
#include "statistics/interval.h"

namespace scm::statistics {

// {"value","low","high","confidence","standard_error","df",
//  "variance":{"cluster","seed","residual"},
//  "items","clusters","effective_clusters","seeds","cannot_be_judged": text or null}
Json ToJson(const Estimate& estimate);

// {"name","asked","found","low","high","result","sentence"}
Json ToJson(const Gate& gate);

}  // namespace scm::statistics
