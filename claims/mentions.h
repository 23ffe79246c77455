// Who and what a sentence speaks of: the trained model, baselines, tasks. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "claims/facts.h"
#include "claims/lexicon.h"

namespace scm::claims {

enum class Mentioned { kModel, kBaseline, kTask, kAllBaselines, kAllTasks };

struct Mention {
  Mentioned what = Mentioned::kModel;
  int index = 0;  // of the baseline or task
  size_t begin = 0, end = 0;
};

// Other words for a baseline or a task: the drafts' own names, "GPT-3.5" → {"gpt35-imported"}.
using Aliases = std::map<std::string, std::string>;

// In order; where names overlap, the longer one. Names are found whatever signs and spaces divide
// them ("GPT 3.5", "legal reasoning").
std::vector<Mention> FindMentions(const std::vector<Word>& words, const std::vector<CueHit>& cues,
                                  const Facts& facts, const Aliases& aliases);

}  // namespace scm::claims
