#include "claims/clause.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/match.h"

namespace scm::claims {
namespace {

bool IsSign(const Word& word, const char* text) {
  return word.kind == Word::Kind::kSign && word.text == text;
}
bool IsNumber(const Word& word) { return word.kind == Word::Kind::kNumber; }

// Stands between two parts of a clause.
constexpr char kPart[] = ";";

struct RelationCue {
  Cue cue;
  Relation relation;
};
// The first that stands before a number counts.
constexpr RelationCue kRelations[] = {
    {Cue::kUpTo, Relation::kUpTo},     {Cue::kAtLeast, Relation::kAtLeast},
    {Cue::kAtMost, Relation::kAtMost}, {Cue::kAbove, Relation::kAbove},
    {Cue::kBelow, Relation::kBelow},   {Cue::kAbout, Relation::kAbout}};

// Words that may stand between "more than" and its number.
bool IsFiller(const Word& word) {
  static const char* const kFillers[] = {"the", "a",    "an", "el",  "la", "un",
                                         "una", "some", "de", "del", "+",  "~"};
  return std::any_of(std::begin(kFillers), std::end(kFillers),
                     [&](const char* one) { return word.text == one; });
}

// Whether a clause begins at `at` of `words`; *skip words of it are no part of it.
bool StartsClause(const std::vector<Word>& words, size_t at, int depth, size_t* skip) {
  static const char* const kAlone[] = {"but",  "whereas", "although", "though",
                                       "pero", "aunque",  "mientras", "while"};
  static const char* const kAfterComma[] = {"and", "yet", "y", "e", "so", "which", "lo"};
  if (depth > 0) return false;
  if (IsSign(words[at], ";") || IsSign(words[at], ":")) {
    *skip = 1;
    return true;
  }
  const auto is = [](const Word& word) {
    return [&word](const char* one) { return word.text == one; };
  };
  if (std::any_of(std::begin(kAlone), std::end(kAlone), is(words[at]))) {
    *skip = 1;
    return true;
  }
  if (!IsSign(words[at], ",") || at + 1 >= words.size()) return false;
  *skip = 2;
  return std::any_of(std::begin(kAfterComma), std::end(kAfterComma), is(words[at + 1]));
}

std::vector<std::vector<Word>> Split(std::vector<Word> words) {
  std::vector<std::vector<Word>> parts(1);
  int depth = 0;
  for (size_t at = 0; at < words.size();) {
    if (IsSign(words[at], "(") || IsSign(words[at], "[")) ++depth;
    if ((IsSign(words[at], ")") || IsSign(words[at], "]")) && depth > 0) --depth;
    size_t skip = 0;
    if (StartsClause(words, at, depth, &skip)) {
      parts.emplace_back();
      at += skip;
    } else {
      parts.back().push_back(words[at++]);
    }
  }
  return parts;
}

// Parts at commas, where more than one comparison is made: "although it gains on X, it loses on Y".
std::vector<std::vector<Word>> SplitAtCommas(std::vector<Word> words) {
  std::vector<size_t> verbs;
  for (const CueHit& hit : FindCues(words)) {
    if (hit.cue != Cue::kGain && hit.cue != Cue::kLoss && hit.cue != Cue::kGainPassive) continue;
    if (verbs.empty() || hit.begin > verbs.back() + 2) verbs.push_back(hit.begin);
  }
  std::vector<std::vector<Word>> parts(1);
  int depth = 0;
  for (size_t at = 0; at < words.size(); ++at) {
    if (IsSign(words[at], "(") || IsSign(words[at], "[")) ++depth;
    if ((IsSign(words[at], ")") || IsSign(words[at], "]")) && depth > 0) --depth;
    const bool before = std::any_of(verbs.begin(), verbs.end(), [at](size_t v) { return v < at; });
    const bool behind = std::any_of(verbs.begin(), verbs.end(), [at](size_t v) { return v > at; });
    if (depth == 0 && IsSign(words[at], ",") && before && behind) {
      parts.emplace_back();
    } else {
      parts.back().push_back(words[at]);
    }
  }
  return parts;
}

}  // namespace

Clause::Clause(std::vector<Word> words, const Facts& facts, const Aliases& aliases)
    : words_(std::move(words)) {
  cues_ = FindCues(words_);
  mentions_ = FindMentions(words_, cues_, facts, aliases);
  FindAsked();
  FindNumbers();
}

bool Clause::InMention(size_t at) const {
  return std::any_of(mentions_.begin(), mentions_.end(), [at](const Mention& one) {
    return one.what != Mentioned::kModel && one.begin <= at && at < one.end;
  });
}

// "could" of "could not show".
bool Clause::PartOfNotShown(const CueHit& hit) const {
  return std::any_of(cues_.begin(), cues_.end(), [&](const CueHit& other) {
    return other.cue == Cue::kNotShown && other.begin <= hit.begin && hit.end <= other.end;
  });
}

// What follows "whether", "should" and their like, up to a comma or the end of that part.
void Clause::FindAsked() {
  asked_.assign(words_.size(), false);
  const auto has = [this](Cue cue) {
    return std::any_of(cues_.begin(), cues_.end(),
                       [cue](const CueHit& hit) { return hit.cue == cue; });
  };
  if (has(Cue::kAsExpected)) return;
  for (const CueHit& hit : cues_) {
    if (hit.cue != Cue::kIrrealis || PartOfNotShown(hit)) continue;
    for (size_t at = hit.begin; at < words_.size(); ++at) {
      if (IsSign(words_[at], ",") || IsSign(words_[at], kPart)) break;
      asked_[at] = true;
    }
  }
}

bool Clause::Asked(size_t at) const { return asked_[at]; }

const CueHit* Clause::First(Cue cue) const {
  for (const CueHit& hit : cues_) {
    if (hit.cue == cue && !Asked(hit.begin) && !InMention(hit.begin)) return &hit;
  }
  return nullptr;
}

bool Clause::Before(Cue cue, size_t at, size_t gap) const {
  return std::any_of(cues_.begin(), cues_.end(), [&](const CueHit& hit) {
    return hit.cue == cue && hit.end <= at && at - hit.end <= gap;
  });
}
bool Clause::After(Cue cue, size_t at, size_t gap) const {
  return std::any_of(cues_.begin(), cues_.end(), [&](const CueHit& hit) {
    return hit.cue == cue && hit.begin > at && hit.begin - at - 1 <= gap;
  });
}

bool Clause::Negated(const CueHit& hit) const {
  for (const CueHit& no : cues_) {
    if (no.cue != Cue::kNegation || InMention(no.begin) || no.end > hit.begin) continue;
    if (hit.begin - no.end > 4) continue;
    const bool comma = std::any_of(words_.begin() + static_cast<int64_t>(no.end),
                                   words_.begin() + static_cast<int64_t>(hit.begin),
                                   [](const Word& word) { return IsSign(word, ","); });
    const bool only = words_[no.end].text == "only" || words_[no.end].text == "solo";
    if (!comma && !only) return true;
  }
  return false;
}

bool Clause::Mentions(Mentioned what) const {
  return std::any_of(mentions_.begin(), mentions_.end(),
                     [what](const Mention& one) { return one.what == what; });
}

std::vector<int> Clause::Tasks() const {
  std::vector<int> tasks;
  for (const Mention& one : mentions_) {
    if (one.what != Mentioned::kTask) continue;
    if (std::find(tasks.begin(), tasks.end(), one.index) == tasks.end()) tasks.push_back(one.index);
  }
  return tasks;
}

bool Clause::Bears() const {
  if (!numbers_.empty() || p_.has_value() || interval_.has_value()) return true;
  for (const Cue cue :
       {Cue::kGain, Cue::kLoss, Cue::kGainPassive, Cue::kEqual, Cue::kNotShown, Cue::kNotWorse,
        Cue::kSuperlative, Cue::kSignificant, Cue::kFinished, Cue::kConverged, Cue::kAborted,
        Cue::kMet, Cue::kUnmet, Cue::kHalf, Cue::kVague, Cue::kUnstored}) {
    if (Has(cue)) return true;
  }
  return false;
}

bool Clause::IsConfidence(size_t at) const {
  const Word& word = words_[at];
  if (word.unit != Unit::kPercent || (word.value != 95 && word.value != 99 && word.value != 90)) {
    return false;
  }
  return After(Cue::kInterval, at, 2) || Before(Cue::kInterval, at, 3);
}

// p < .05, p = 0.012, "Holm-adjusted p = .02", "p de Holm = 0,02".
bool Clause::TakeP(size_t at) {
  static const char* const kNames[] = {"p", "p-value", "p-valor", "valor-p"};
  static const char* const kBetween[] = {"holm",      "de",    "of", "adjusted", "ajustado",
                                         "corregido", "value", "is", "es",       "below",
                                         "under",     "menor", "que"};
  const auto is_one_of = [](const auto& list, const Word& word) {
    return std::any_of(std::begin(list), std::end(list),
                       [&word](const char* one) { return word.text == one; });
  };
  size_t back = at;
  std::string signs;
  while (back > 0 && words_[back - 1].kind == Word::Kind::kSign &&
         absl::StrContains("<>=", words_[back - 1].text)) {
    signs = words_[--back].text + signs;
  }
  for (int i = 0; i < 3 && back > 0 && is_one_of(kBetween, words_[back - 1]); ++i) {
    if (words_[back - 1].text == "below" || words_[back - 1].text == "under" ||
        words_[back - 1].text == "menor") {
      signs = "<";
    }
    --back;
  }
  if (back == 0 || !is_one_of(kNames, words_[back - 1])) return false;
  p_ = Quantity{words_[at].value, words_[at].half_step, Unit::kNone, 0, Relation::kEquals};
  if (absl::StrContains(signs, "<")) p_->relation = Relation::kBelow;
  if (absl::StrContains(signs, ">")) p_->relation = Relation::kAbove;
  return true;
}

// "95 % CI 57–71", "[.57, .71]", "(.57–.71)", "between 10 and 24 points".
bool Clause::TakeInterval(size_t at) {
  if (interval_.has_value() || at + 2 >= words_.size() || !IsNumber(words_[at + 2])) return false;
  static const char* const kJoins[] = {"-", "to", "a", "y", "and", ",", ";", "hasta"};
  const Word& join = words_[at + 1];
  const auto is = [&join](const char* one) { return join.text == one; };
  if (std::none_of(std::begin(kJoins), std::end(kJoins), is)) return false;
  const bool closed = at + 3 < words_.size() && IsSign(words_[at + 3], ")");
  const bool bracket = at > 0 && (IsSign(words_[at - 1], "[") ||
                                  (IsSign(words_[at - 1], "(") && closed && IsSign(join, "-")));
  const bool word = std::any_of(cues_.begin(), cues_.end(), [&](const CueHit& hit) {
    return hit.cue == Cue::kInterval && hit.begin < at && at - hit.end <= 5;
  });
  if (!bracket && !word) return false;
  const Word &low = words_[at], &high = words_[at + 2];
  interval_ = {at, low.value, high.value, std::max(low.half_step, high.half_step),
               high.unit == Unit::kNone ? low.unit : high.unit};
  return true;
}

bool Clause::IsSetup(size_t at) const {
  if (Has(Cue::kLossMetric)) return false;
  const bool setup = std::any_of(cues_.begin(), cues_.end(),
                                 [](const CueHit& hit) { return hit.cue == Cue::kSetup; });
  return setup && !Has(Cue::kAccuracy) && !Has(Cue::kF1) && !Has(Cue::kGain) && !Has(Cue::kLoss) &&
         !Mentions(Mentioned::kBaseline) && words_[at].unit != Unit::kPoints;
}

ClauseNumber Clause::NumberAt(size_t at) const {
  const Word& word = words_[at];
  ClauseNumber number{
      at, {word.value, word.half_step, word.unit, word.sign, Relation::kEquals}, at};
  size_t begin = at;
  std::string signs;
  while (begin > 0 && words_[begin - 1].kind == Word::Kind::kSign &&
         absl::StrContains("<>=", words_[begin - 1].text)) {
    signs = words_[--begin].text + signs;
  }
  if (!signs.empty()) {
    const bool equal = absl::StrContains(signs, "=");
    if (signs[0] == '<') number.quantity.relation = equal ? Relation::kAtMost : Relation::kBelow;
    if (signs[0] == '>') number.quantity.relation = equal ? Relation::kAtLeast : Relation::kAbove;
  }
  while (begin > 0 && IsFiller(words_[begin - 1])) --begin;
  for (const RelationCue& one : kRelations) {
    for (const CueHit& hit : cues_) {
      // "more than the 60 %": the last word of the phrase may be a filler.
      if (hit.cue != one.cue || hit.end < begin || hit.end > at || hit.begin >= at) continue;
      number.quantity.relation = one.relation;
      number.begin = hit.begin;
      return number;
    }
  }
  number.begin = begin;
  return number;
}

bool Clause::Scores() const {
  for (const Cue cue : {Cue::kAccuracy, Cue::kF1, Cue::kGain, Cue::kLoss, Cue::kGainPassive,
                        Cue::kLossMetric, Cue::kDifference}) {
    if (Has(cue)) return true;
  }
  return false;
}

void Clause::FindNumbers() {
  for (size_t at = 0; at < words_.size(); ++at) {
    if (!IsNumber(words_[at]) || InMention(at) || Asked(at)) continue;
    if (IsConfidence(at) || TakeP(at)) continue;
    if (TakeInterval(at)) {
      at += 2;
      continue;
    }
    // Whole numbers without a unit count things; what has decimals is a result where it is about
    // results.
    const bool decimals = words_[at].half_step < 0.5;
    const bool small = decimals && std::fabs(words_[at].value) <= 1;
    if (words_[at].unit == Unit::kNone && !small && !(decimals && Scores())) continue;
    if (IsSetup(at)) continue;
    numbers_.push_back(NumberAt(at));
  }
}

std::vector<Clause> ClausesOf(absl::string_view sentence, const Facts& facts,
                              const Aliases& aliases) {
  std::vector<std::vector<Word>> parts;
  for (std::vector<Word>& part : Split(SplitWords(sentence))) {
    for (std::vector<Word>& one : SplitAtCommas(std::move(part))) parts.push_back(std::move(one));
  }
  std::vector<Clause> clauses;
  std::vector<Word> waiting;  // states nothing yet
  for (std::vector<Word>& part : parts) {
    if (part.empty()) continue;
    if (!waiting.empty()) waiting.push_back({Word::Kind::kSign, kPart});
    waiting.insert(waiting.end(), part.begin(), part.end());
    Clause clause(waiting, facts, aliases);
    if (!clause.Bears()) continue;
    clauses.push_back(std::move(clause));
    waiting.clear();
  }
  if (!waiting.empty()) {
    if (!clauses.empty()) {
      std::vector<Word> all = clauses.back().words();
      all.push_back({Word::Kind::kSign, kPart});
      all.insert(all.end(), waiting.begin(), waiting.end());
      clauses.pop_back();
      waiting = std::move(all);
    }
    clauses.emplace_back(std::move(waiting), facts, aliases);
  }
  return clauses;
}

}  // namespace scm::claims
