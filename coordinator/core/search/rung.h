// The stopping rule of asynchronous successive halving (Li et al., "A System for Massively Parallel
// Hyperparameter Tuning", MLSys 2020) in the variant that decides when a value arrives: insert it,
// continue iff it is among the best max(⌊n/η⌋, 1) of the n values so far. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/core/search/search_record.h"

namespace scm::search {

struct RungVerdict {
  bool continues = false;
  std::string reason;  // "2nd of 5 at step 100: continues (top 1/3)"
};

enum class Better { kLower, kHigher };

// Inserts the finite `value` behind those that are better or equal, and returns its index. So a tie
// goes to the earlier arrival, and a rung full of equal values prunes instead of keeping all.
size_t InsertAtRung(const TrialId& trial, double value, Better better,
                    std::vector<RungEntry>& entries);

// Judges the entry at `index`. eta ≥ 2.
RungVerdict JudgeAtRung(const std::vector<RungEntry>& entries, size_t index, int64_t step,
                        int64_t eta);

// "2nd of 5 at step 1000, the last rung: runs to its end".
std::string LastRungReason(const std::vector<RungEntry>& entries, size_t index, int64_t step);

}  // namespace scm::search
