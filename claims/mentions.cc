#include "claims/mentions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace scm::claims {
namespace {

// Letters and digits alone.
std::string Bare(absl::string_view text) {
  std::string bare;
  for (const char c : Folded(text)) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) bare.push_back(c);
  }
  return bare;
}

struct Name {
  std::string bare;
  Mentioned what;
  int index;
};

struct TaskWords {
  const char *task, *words;
};
// How the tasks of legal corpora are called in Spanish.
constexpr TaskWords kSpanishTasks[] = {
    {"legal_reasoning", "razonamiento juridico"},
    {"legal_reasoning", "razonamiento legal"},
    {"jurisdiction_classification", "clasificacion de jurisdicciones"},
    {"jurisdiction_classification", "clasificacion de jurisdiccion"},
    {"jurisdiction_classification", "clasificacion por jurisdiccion"},
    {"concept_identification", "identificacion de conceptos"},
    {"compliance_reasoning", "razonamiento sobre cumplimiento"},
    {"compliance_reasoning", "razonamiento de cumplimiento"}};

std::vector<Name> NamesOf(const Facts& facts, const Aliases& aliases) {
  std::vector<Name> names;
  const auto add = [&names](absl::string_view text, Mentioned what, size_t index) {
    std::string bare = Bare(text);
    if (!bare.empty()) names.push_back({std::move(bare), what, static_cast<int>(index)});
  };
  for (size_t i = 0; i < facts.baselines.size(); ++i) {
    add(facts.baselines[i], Mentioned::kBaseline, i);
    add(facts.baseline_models[i], Mentioned::kBaseline, i);
  }
  for (size_t i = 0; i < facts.tasks.size(); ++i) {
    add(facts.tasks[i].name, Mentioned::kTask, i);
    for (const TaskWords& one : kSpanishTasks) {
      if (facts.tasks[i].name == one.task) add(one.words, Mentioned::kTask, i);
    }
  }
  add(facts.experiment, Mentioned::kModel, 0);
  for (const auto& alias : aliases) {
    const std::string meant = Bare(alias.second);
    const auto at = std::find_if(names.begin(), names.end(),
                                 [&meant](const Name& name) { return name.bare == meant; });
    if (at == names.end()) continue;
    const Name known = *at;
    add(alias.first, known.what, static_cast<size_t>(known.index));
  }
  return names;
}

// How many words from `at` on spell the name; 0: none.
size_t WordsOfName(const std::vector<Word>& words, size_t at, const std::string& bare) {
  std::string spelled;
  for (size_t i = at; i < words.size() && spelled.size() < bare.size(); ++i) {
    absl::string_view text = words[i].text;
    absl::ConsumeSuffix(&text, "'s");
    spelled += Bare(text);
    if (spelled == bare) return i + 1 - at;
    if (!absl::StartsWith(bare, spelled)) return 0;
  }
  return 0;
}

void AddCues(const std::vector<CueHit>& cues, const Facts& facts, std::vector<Mention>* found) {
  for (const CueHit& hit : cues) {
    if (hit.cue == Cue::kOurs) found->push_back({Mentioned::kModel, 0, hit.begin, hit.end});
    if (hit.cue == Cue::kBase && facts.base >= 0) {
      found->push_back({Mentioned::kBaseline, facts.base, hit.begin, hit.end});
    }
    if (hit.cue == Cue::kAnyBaseline && facts.baselines.size() == 1) {
      found->push_back({Mentioned::kBaseline, 0, hit.begin, hit.end});
    }
    if (hit.cue == Cue::kAllBaselines) {
      found->push_back({Mentioned::kAllBaselines, 0, hit.begin, hit.end});
    }
    if (hit.cue == Cue::kAllTasks) found->push_back({Mentioned::kAllTasks, 0, hit.begin, hit.end});
  }
}

}  // namespace

std::vector<Mention> FindMentions(const std::vector<Word>& words, const std::vector<CueHit>& cues,
                                  const Facts& facts, const Aliases& aliases) {
  std::vector<Mention> found;
  for (const Name& name : NamesOf(facts, aliases)) {
    for (size_t at = 0; at < words.size(); ++at) {
      const size_t count = WordsOfName(words, at, name.bare);
      if (count > 0) found.push_back({name.what, name.index, at, at + count});
    }
  }
  AddCues(cues, facts, &found);
  // The longer first, so that what lies in it is dropped.
  std::stable_sort(found.begin(), found.end(), [](const Mention& a, const Mention& b) {
    return a.end - a.begin > b.end - b.begin;
  });
  std::vector<Mention> kept;
  for (const Mention& one : found) {
    const bool inside = std::any_of(kept.begin(), kept.end(), [&](const Mention& other) {
      return one.begin < other.end && other.begin < one.end;
    });
    if (!inside) kept.push_back(one);
  }
  std::sort(kept.begin(), kept.end(),
            [](const Mention& a, const Mention& b) { return a.begin < b.begin; });
  return kept;
}

}  // namespace scm::claims
