// Who is compared with whom in a clause, and whose a number is. Pure.
#pragma once

#include <optional>
#include <vector>

#include "claims/clause.h"

namespace scm::claims {

struct Compared {
  std::vector<int> baselines;      // that the trained model is compared with
  bool reversed = false;           // the baseline is what the verb speaks of
  bool between_baselines = false;  // the trained model takes no part
};

// For a comparison whose verb or adjective stands at word `at`.
Compared ComparedWith(const Clause& clause, const Facts& facts, size_t at);

// Whether a baseline, which is put into *baselines, is what the word at `at` speaks of.
bool SubjectIsBaseline(const Clause& clause, size_t at, std::vector<int>* baselines);

// The baseline of whose score the number is a share: "78 % of GPT-3.5's accuracy".
std::optional<int> ShareOf(const Clause& clause, const ClauseNumber& number);

struct LevelOwner {
  int baseline = -1;  // −1: the trained model
  bool unknown = false, chance = false;
};
// Whose score number i is.
LevelOwner OwnerOf(const Clause& clause, const Facts& facts, const std::vector<int>& spoken_of,
                   const std::vector<ClauseNumber>& numbers, size_t i);

}  // namespace scm::claims
