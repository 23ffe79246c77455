// Checks that what is tested was not trained.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "corpus/quality_checks.h"
#include "corpus/shingles.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace {

struct SplitPair {
  Split probe, indexed;
};
constexpr SplitPair kCrossings[] = {{Split::kTest, Split::kTrain},
                                    {Split::kValidation, Split::kTrain},
                                    {Split::kTest, Split::kValidation}};

// Two values of one key in different splits, and in the same one.
struct Repeats {
  std::vector<std::string> across, within;
};

// A text with its key and split, in corpus order.
struct Keyed {
  std::string id, key;
  Split split;
};

Repeats FindRepeats(const std::vector<Keyed>& all) {
  std::map<std::string, std::vector<const Keyed*>> by_key;
  for (const Keyed& one : all) by_key[one.key].push_back(&one);
  Repeats repeats;
  for (const Keyed& one : all) {
    const std::vector<const Keyed*>& same = by_key[one.key];
    if (same.size() < 2) continue;
    const bool crosses = std::any_of(same.begin(), same.end(),
                                     [&](const Keyed* other) { return other->split != one.split; });
    (crosses ? repeats.across : repeats.within).push_back(one.id);
  }
  return repeats;
}

void ReportRepeats(const QualityInput& input, const std::string& what, const Repeats& repeats,
                   std::vector<Finding>* findings) {
  if (!repeats.across.empty()) {
    findings->push_back(MakeFinding(
        input, Severity::kError, "exact_duplicates",
        absl::StrCat(repeats.across.size(), " ", what,
                     " stand with the same text in more than one split, first ",
                     repeats.across.front(), ": what is tested was trained. Remove the copies"),
        repeats.across));
  }
  if (!repeats.within.empty()) {
    findings->push_back(MakeFinding(
        input, Severity::kWarning, "exact_duplicates",
        absl::StrCat(repeats.within.size(), " ", what, " repeat another of the same split, first ",
                     repeats.within.front()),
        repeats.within));
  }
}

struct Texts {
  std::vector<std::string> ids;
  std::vector<std::string> folded;
  std::vector<Shingles> shingles;
};

std::map<Split, Texts> ItemTexts(const QualityInput& input) {
  std::map<Split, Texts> by_split;
  for (size_t i = 0; i < input.corpus.items.size(); ++i) {
    const Item& item = input.corpus.items[i];
    Texts& texts = by_split[input.assignment.items[i]];
    texts.ids.push_back(item.id);
    texts.folded.push_back(QuestionKey(item));
    texts.shingles.push_back(MakeShingles(TextOf(item), input.options.shingle_words));
  }
  return by_split;
}

std::map<Split, Texts> DocumentTexts(const QualityInput& input) {
  std::map<Split, Texts> by_split;
  for (size_t i = 0; i < input.corpus.documents.size(); ++i) {
    const Document& document = input.corpus.documents[i];
    Texts& texts = by_split[input.assignment.documents[i]];
    texts.ids.push_back(document.id);
    texts.folded.push_back(Fold(document.text));
    texts.shingles.push_back(MakeShingles(document.text, input.options.shingle_words));
  }
  return by_split;
}

void ReportNear(const QualityInput& input, const std::string& what,
                const std::map<Split, Texts>& by_split, std::vector<Finding>* findings) {
  for (const SplitPair& crossing : kCrossings) {
    const auto probes = by_split.find(crossing.probe);
    const auto indexed = by_split.find(crossing.indexed);
    if (probes == by_split.end() || indexed == by_split.end()) continue;
    std::vector<std::string> subjects;
    NearMatch closest;
    for (const NearMatch& match : FindNearMatches(probes->second.shingles, indexed->second.shingles,
                                                  input.options.near_duplicate)) {
      // The same text is the exact check's business.
      if (probes->second.folded[match.probe] == indexed->second.folded[match.match]) continue;
      subjects.push_back(probes->second.ids[match.probe]);
      if (match.similarity > closest.similarity) closest = match;
    }
    if (subjects.empty()) continue;
    findings->push_back(MakeFinding(
        input, Severity::kWarning, "near_duplicates",
        absl::StrFormat(
            "%d of %d %s %s nearly repeat one of %s (Jaccard at least %.2g), closest %s "
            "and %s at %.2f: their score may be memory",
            subjects.size(), probes->second.ids.size(), SplitName(crossing.probe), what,
            SplitName(crossing.indexed), input.options.near_duplicate,
            probes->second.ids[closest.probe], indexed->second.ids[closest.match],
            closest.similarity),
        subjects));
  }
}

}  // namespace

void FindExactDuplicates(const QualityInput& input, std::vector<Finding>* findings) {
  std::vector<Keyed> items, documents;
  for (size_t i = 0; i < input.corpus.items.size(); ++i) {
    const Item& item = input.corpus.items[i];
    items.push_back({item.id, QuestionKey(item), input.assignment.items[i]});
  }
  for (size_t i = 0; i < input.corpus.documents.size(); ++i) {
    const Document& document = input.corpus.documents[i];
    documents.push_back({document.id, Fold(document.text), input.assignment.documents[i]});
  }
  ReportRepeats(input, "items", FindRepeats(items), findings);
  ReportRepeats(input, "documents", FindRepeats(documents), findings);
}

void FindNearDuplicates(const QualityInput& input, std::vector<Finding>* findings) {
  ReportNear(input, "items", ItemTexts(input), findings);
  ReportNear(input, "documents", DocumentTexts(input), findings);
}

void FindClusterLeakage(const QualityInput& input, std::vector<Finding>* findings) {
  std::map<std::string, std::set<Split>> splits_of_cluster, splits_of_document;
  for (size_t i = 0; i < input.corpus.items.size(); ++i) {
    const Item& item = input.corpus.items[i];
    splits_of_cluster[item.cluster_id].insert(input.assignment.items[i]);
    splits_of_document[item.document].insert(input.assignment.items[i]);
  }
  const auto report = [&](const char* what, const std::map<std::string, std::set<Split>>& splits) {
    std::vector<std::string> leaking;
    for (const auto& [name, where] : splits) {
      if (where.size() > 1) leaking.push_back(name);
    }
    if (leaking.empty()) return;
    findings->push_back(MakeFinding(
        input, Severity::kError, "cluster_leakage",
        absl::StrCat(leaking.size(), " ", what, " have items in more than one split, first ",
                     leaking.front(), ": give all items of one the same split"),
        leaking));
  };
  report("clusters", splits_of_cluster);
  report("documents", splits_of_document);
}

void FindContainment(const QualityInput& input, std::vector<Finding>* findings) {
  const int64_t words = input.options.containment_words;
  std::unordered_set<uint64_t> trained;
  const auto runs = [&](const std::string& text) {
    const bool long_enough = static_cast<int64_t>(FoldedWords(text).size()) >= words;
    return long_enough ? MakeShingles(text, words) : Shingles();
  };
  for (size_t i = 0; i < input.corpus.items.size(); ++i) {
    if (input.assignment.items[i] != Split::kTrain) continue;
    for (const uint64_t run : runs(TextOf(input.corpus.items[i]))) trained.insert(run);
  }
  for (size_t i = 0; i < input.corpus.documents.size(); ++i) {
    if (input.assignment.documents[i] != Split::kTrain) continue;
    for (const uint64_t run : runs(input.corpus.documents[i].text)) trained.insert(run);
  }
  std::vector<std::string> contained;
  for (size_t i = 0; i < input.corpus.items.size(); ++i) {
    if (input.assignment.items[i] != Split::kTest) continue;
    const Shingles own = runs(TextOf(input.corpus.items[i]));
    const bool found =
        std::any_of(own.begin(), own.end(), [&](uint64_t run) { return trained.count(run) > 0; });
    if (found) contained.push_back(input.corpus.items[i].id);
  }
  if (contained.empty()) return;
  findings->push_back(
      MakeFinding(input, Severity::kWarning, "containment",
                  absl::StrCat(contained.size(), " of ", input.assignment.CountItems(Split::kTest),
                               " test prompts share a run of ", words,
                               " words with training text, first ", contained.front()),
                  contained));
}

}  // namespace scm::corpus
