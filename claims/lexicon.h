// The words in which results are stated, English and Spanish, in one table. Pure.
#pragma once

#include <vector>

#include "claims/words.h"

namespace scm::claims {

enum class Cue {
  kGain,         // "outperforms", "mejor que"
  kLoss,         // "worse than", "pierde"
  kGainPassive,  // "outperformed by": the subject loses
  kDifference,   // "the difference", without a direction
  kEqual,        // "on par with"
  kSignificant,
  kNotShown,     // "no significant difference"
  kNotWorse,     // "no worse than"
  kSuperlative,  // "the best"
  kUnstored,     // "state of the art", "on average": nothing that is stored can support it
  kBestOf,       // "the best seed"
  kSelection,    // "the best checkpoint": no result
  kAbove,
  kBelow,
  kAtLeast,
  kAtMost,
  kAbout,
  kUpTo,
  kNegation,
  kIrrealis,  // what follows is asked, planned or supposed
  kAsExpected,
  kChance,
  kAccuracy,
  kF1,
  kLossMetric,
  kTrainingLoss,
  kFromGuessing,
  kFall,
  kHalf,
  kLatency,
  kMedian,
  kMemory,
  kPeak,
  kReach,   // "achieves"
  kObject,  // "against": a name behind it is what is compared with
  kFor,     // "for", "of": a name behind a number has that number
  kBy,
  kInterval,
  kSubgroup,
  kVague,
  kGate,
  kMet,
  kUnmet,
  kGo,
  kNoGo,
  kFinished,
  kConverged,
  kAborted,
  kSeeds,
  kRuns,
  kEvery,
  kSetup,
  kBudget,
  kSaved,
  kOurs,
  kBase,  // the untouched base model
  kAnyBaseline,
  kAllBaselines,
  kAllTasks,
  kResults,
  kMethod,  // what was done, not what came of it
  kRespectively,
  kCited,
};

struct CueHit {
  Cue cue;
  size_t begin = 0, end = 0;  // words
};

// In order of their beginning. Words may carry several.
std::vector<CueHit> FindCues(const std::vector<Word>& words);

}  // namespace scm::claims
