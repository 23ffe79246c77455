// What would change a result that misses its gate: more items, more seeds, or a better model. The
// part of the variance that belongs to the seeds does not shrink with items, so "never at this
// spread, use more seeds" is a possible answer. Source: docs/statistics.md, §4. Pure.
#pragma once

#include <optional>
#include <string>

#include "statistics/interval.h"

namespace scm::statistics {

enum class GateScale { kLogit, kLinear };  // as the interval of the estimate

struct AdviceQuestion {
  Estimate estimate;
  double threshold = 0;  // the lower bound must exceed it
  GateScale scale = GateScale::kLogit;
  double alpha = 0.05;  // two-sided level of the gate's interval
  double power = 0.8;   // wanted chance of passing
  double highest = 1;   // no value is larger
};

struct Advice {
  // More items like these (same clusters' sizes) at the same value, spread and seeds; nullopt where
  // no number of items is enough.
  std::optional<int> more_items;
  // More seeds at the same items, value and spread; nullopt where no number of seeds is enough.
  std::optional<int> more_seeds;
  // How much higher the value itself would have to be with the present items and seeds.
  std::optional<double> more_value;
  // One sentence for people. Says what is missing where the estimate cannot be judged.
  std::string sentence;
};

// Asks for the gate to be passed with probability `power` if the true value is the one found. Not
// for an estimate that already passes with that probability: all numbers are 0 then.
Advice WhatWouldChange(const AdviceQuestion& question);

}  // namespace scm::statistics
