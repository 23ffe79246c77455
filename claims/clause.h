// One clause of a sentence, with what its words and numbers are. Pure.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "claims/claim.h"
#include "claims/facts.h"
#include "claims/lexicon.h"
#include "claims/mentions.h"
#include "claims/words.h"

namespace scm::claims {

// A number that may state a result.
struct ClauseNumber {
  size_t at = 0;  // word
  Quantity quantity;
  size_t begin = 0;  // where the words begin that say how it is meant ("more than")
};

struct ClauseInterval {
  size_t at = 0;
  double low = 0, high = 0, half_step = 0;
  Unit unit = Unit::kNone;
};

class Clause {
 public:
  Clause(std::vector<Word> words, const Facts& facts, const Aliases& aliases);

  const std::vector<Word>& words() const { return words_; }
  const std::vector<CueHit>& cues() const { return cues_; }
  const std::vector<Mention>& mentions() const { return mentions_; }
  const std::vector<ClauseNumber>& numbers() const { return numbers_; }
  const std::optional<ClauseInterval>& interval() const { return interval_; }
  const std::optional<Quantity>& p() const { return p_; }

  // The first hit that states something: not in what is asked or planned, nor in a name.
  const CueHit* First(Cue cue) const;
  bool Has(Cue cue) const { return First(cue) != nullptr; }
  // Whether such a word stands right before word `at`, with at most `gap` words between.
  bool Before(Cue cue, size_t at, size_t gap = 0) const;
  bool After(Cue cue, size_t at, size_t gap = 0) const;
  // Whether what the hit says is denied.
  bool Negated(const CueHit& hit) const;
  bool Mentions(Mentioned what) const;
  std::vector<int> Tasks() const;

  // Whether word `at` is part of what is asked, planned or supposed.
  bool Asked(size_t at) const;
  // Whether anything in it could be a result.
  bool Bears() const;

 private:
  bool InMention(size_t at) const;
  bool PartOfNotShown(const CueHit& hit) const;
  void FindAsked();
  bool Scores() const;
  void FindNumbers();
  bool TakeP(size_t at);
  bool TakeInterval(size_t at);
  bool IsConfidence(size_t at) const;
  bool IsSetup(size_t at) const;
  ClauseNumber NumberAt(size_t at) const;

  std::vector<Word> words_;
  std::vector<CueHit> cues_;
  std::vector<Mention> mentions_;
  std::vector<bool> asked_;
  std::vector<ClauseNumber> numbers_;
  std::optional<ClauseInterval> interval_;
  std::optional<Quantity> p_;
};

// The clauses of a sentence: parts that state something each; what states nothing is left with its
// neighbour.
std::vector<Clause> ClausesOf(absl::string_view sentence, const Facts& facts,
                              const Aliases& aliases);

}  // namespace scm::claims
