// What stands behind a validation accuracy: a trainer reports it, the rule `below_random` judges
// it.
#pragma once

#include <cstdint>

namespace scm {

// 0 stands for "not reported".
struct ValidationCounts {
  int64_t correct = 0;  // items answered right
  int64_t items = 0;    // items scored
  double chance = 0;    // mean over items of min(1 / choices, rarest gold share of the task)
  double deff = 0;      // design effect of clustered items, ≥ 1
};

}  // namespace scm
