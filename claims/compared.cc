#include "claims/compared.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>

namespace scm::claims {
namespace {

bool IsOneOf(const Word& word, std::initializer_list<const char*> list) {
  return std::any_of(list.begin(), list.end(), [&](const char* one) { return word.text == one; });
}

// "The advantage of GPT-3.5": whose gain it is.
bool OwnsGain(const Clause& clause, const Mention& mention) {
  const std::vector<Word>& words = clause.words();
  return mention.begin >= 2 && IsOneOf(words[mention.begin - 1], {"of", "de", "del"}) &&
         IsOneOf(words[mention.begin - 2],
                 {"advantage", "lead", "gain", "ventaja", "ganancia", "mejora", "superioridad"});
}

// A name behind "than", "against", "beats".
bool IsObject(const Clause& clause, const Mention& mention) {
  for (const Cue cue : {Cue::kObject, Cue::kGain, Cue::kLoss, Cue::kGainPassive, Cue::kEqual}) {
    if (clause.Before(cue, mention.begin, 2)) return true;
  }
  return false;
}

// Whether one of the words stands in front of a number, past articles and what says how it is
// meant.
bool LeadIsOneOf(const Clause& clause, const ClauseNumber& number,
                 std::initializer_list<const char*> list) {
  const std::vector<Word>& words = clause.words();
  size_t at = number.begin;
  while (at > 0 && IsOneOf(words[at - 1], {"a", "an", "the", "un", "una", "el", "la"})) --at;
  // "del" and "de" are passed over where the number's words are read.
  const bool passed = number.begin < number.at && IsOneOf(words[number.begin], list);
  return passed || (at > 0 && IsOneOf(words[at - 1], list));
}

void Add(int baseline, std::vector<int>* baselines) {
  if (std::find(baselines->begin(), baselines->end(), baseline) == baselines->end()) {
    baselines->push_back(baseline);
  }
}

std::vector<int> All(const Facts& facts) {
  std::vector<int> all(facts.baselines.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

Compared ComparedWith(const Clause& clause, const Facts& facts, size_t at) {
  Compared compared;
  std::vector<int> before, behind;  // baselines that are no objects, before and behind the verb
  bool model_before = false, model_behind = false;
  for (const Mention& one : clause.mentions()) {
    if (one.what == Mentioned::kAllBaselines) {
      compared.baselines = All(facts);
      return compared;
    }
    if (one.what == Mentioned::kModel) (one.begin < at ? model_before : model_behind) = true;
    if (one.what != Mentioned::kBaseline) continue;
    if (OwnsGain(clause, one) || (one.begin < at && !IsObject(clause, one))) {
      Add(one.index, &before);
    } else {
      Add(one.index, &behind);
    }
  }
  if (before.empty()) {
    compared.baselines = behind;
    return compared;
  }
  // "GPT-3.5 outperforms our model", or "GPT-3.5 outperforms the base".
  if (!model_before && behind.empty() && model_behind) {
    compared.baselines = before;
    compared.reversed = true;
  } else if (!model_before && !model_behind && !behind.empty()) {
    compared.between_baselines = true;
  } else if (!model_before && behind.empty()) {
    compared.baselines = before;
    compared.reversed = true;
  } else {
    compared.baselines = before;
    for (const int one : behind) Add(one, &compared.baselines);
  }
  return compared;
}

bool SubjectIsBaseline(const Clause& clause, size_t at, std::vector<int>* baselines) {
  for (auto one = clause.mentions().rbegin(); one != clause.mentions().rend(); ++one) {
    if (one->begin >= at) continue;
    if (one->what != Mentioned::kModel && one->what != Mentioned::kBaseline) continue;
    if (IsObject(clause, *one)) continue;
    if (one->what == Mentioned::kModel) return false;
    *baselines = {one->index};
    return true;
  }
  return false;
}

std::optional<int> ShareOf(const Clause& clause, const ClauseNumber& number) {
  const std::vector<Word>& words = clause.words();
  size_t at = number.at + 1;
  if (number.quantity.unit == Unit::kTimes) {
    if (at < words.size() && IsOneOf(words[at], {"as", "la", "the"})) ++at;
  } else if (at >= words.size() || !IsOneOf(words[at], {"of", "de", "del"})) {
    return std::nullopt;
  }
  // "frente al 47 % del modelo base" and "pasa del 47 % del modelo base al 64 %" are scores.
  if (LeadIsOneOf(clause, number,
                  {"al", "vs", "versus", "against", "than", "que", "contra", "to"})) {
    return std::nullopt;
  }
  if (LeadIsOneOf(clause, number, {"del", "desde", "from"}) && clause.numbers().size() > 1) {
    return std::nullopt;
  }
  for (const Mention& one : clause.mentions()) {
    if (one.what != Mentioned::kBaseline || one.begin <= number.at) continue;
    const size_t between = one.begin - number.at - 1;
    if (between > 7) return std::nullopt;
    for (size_t i = number.at + 1; i < one.begin; ++i) {
      if (words[i].kind != Word::Kind::kWord) return std::nullopt;
    }
    return one.index;
  }
  return std::nullopt;
}

// The one baseline that is named, or was spoken of.
static LevelOwner TheOther(const Clause& clause, const Facts& facts,
                           const std::vector<int>& spoken_of) {
  std::vector<int> named;
  for (const Mention& one : clause.mentions()) {
    if (one.what == Mentioned::kBaseline) Add(one.index, &named);
  }
  if (named.empty()) named = spoken_of;
  if (named.empty() && facts.base >= 0) named = {facts.base};
  LevelOwner owner;
  owner.unknown = named.size() != 1;
  if (!owner.unknown) owner.baseline = named.front();
  return owner;
}

LevelOwner OwnerOf(const Clause& clause, const Facts& facts, const std::vector<int>& spoken_of,
                   const std::vector<ClauseNumber>& numbers, size_t i) {
  const ClauseNumber& number = numbers[i];
  const std::vector<Word>& words = clause.words();
  const size_t next = i + 1 < numbers.size() ? numbers[i + 1].begin : words.size();
  LevelOwner owner;
  // "47 % for the base model": a name right behind it.
  for (const Mention& one : clause.mentions()) {
    if (one.begin <= number.at || one.begin >= next || one.begin - number.at > 5) continue;
    if (!clause.Before(Cue::kFor, one.begin, 1)) continue;
    if (one.what == Mentioned::kBaseline) {
      owner.baseline = one.index;
      return owner;
    }
    if (one.what == Mentioned::kModel && one.begin - number.at <= 4) return owner;
  }
  for (size_t at = number.at + 1; at < next && at <= number.at + 4; ++at) {
    if (IsOneOf(words[at], {"chance", "guessing", "azar"})) owner.chance = true;
  }
  for (size_t at = number.begin; at > 0 && at + 3 > number.begin; --at) {
    if (IsOneOf(words[at - 1], {"chance", "guessing", "azar"})) owner.chance = true;
  }
  if (owner.chance) return owner;
  const bool versus = i > 0 && LeadIsOneOf(clause, number,
                                           {"vs", "versus", "against", "than", "with", "contra",
                                            "que", "al", "frente", "compared", "."});
  const bool from =
      LeadIsOneOf(clause, number, {"from", "desde", "del", "de"}) && i + 1 < numbers.size();
  const bool to = i > 0 && LeadIsOneOf(clause, number, {"to", "a", "al", "hasta"}) &&
                  LeadIsOneOf(clause, numbers[i - 1], {"from", "desde", "del", "de"});
  if (to) return owner;
  std::vector<int> subject;
  if (versus && SubjectIsBaseline(clause, numbers.front().at, &subject)) return owner;
  const bool of_baseline = SubjectIsBaseline(clause, number.at, &subject);
  if (from || versus) return TheOther(clause, facts, spoken_of);
  if (of_baseline) owner.baseline = subject.front();
  return owner;
}

}  // namespace scm::claims
