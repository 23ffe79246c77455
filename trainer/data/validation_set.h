// What validations look at. Values only; free of libtorch.
#pragma once

#include <cstdint>
#include <vector>

#include "trainer/data/examples.h"

namespace scm::trainer {

struct ValidationItem {
  std::vector<TokenExample> choices;  // of a multi-label item or a document: the gold ones only
  std::vector<int64_t> gold;          // indices into `choices`
  bool single_label = true;           // takes part in the accuracy
};

struct ValidationSet {
  std::vector<ValidationItem> items;
  // Of the single-label items: expected accuracy of guessing, and the design effect of clusters.
  double chance = 0, deff = 1;
};

}  // namespace scm::trainer
