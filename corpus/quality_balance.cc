// Checks of labels, lengths and missing fields.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "corpus/quality_checks.h"
#include "corpus/task_statistics.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace {

// Below these no interval is used in a gate.
constexpr int64_t kFewestClusters = 10;
constexpr double kFewestEffectiveClusters = 5;
// A constant answer that is right this often leaves little to show.
constexpr double kLargeMajority = 0.7;
// Standard errors by which a position may deviate before it is remarkable.
constexpr double kPositionErrors = 4;
constexpr size_t kFewestForBalance = 20;

std::set<std::string> GoldTexts(const Item& item) {
  std::set<std::string> texts;
  for (const int64_t gold : item.gold) texts.insert(Fold(item.choices[gold]));
  return texts;
}

void FindFewClusters(const QualityInput& input, const std::string& task,
                     std::vector<Finding>* findings) {
  const ItemSetStatistics test = SingleLabelStatistics(
      input.corpus, ItemsOf(input.corpus, input.assignment, Split::kTest, {task}));
  if (test.items == 0) return;
  if (test.clusters >= kFewestClusters && test.effective_clusters >= kFewestEffectiveClusters)
    return;
  findings->push_back(MakeFinding(
      input, Severity::kWarning, "few_clusters",
      absl::StrFormat("task %s has %d test clusters (%.1f effective); below %d (%.0f effective) "
                      "nothing about it can be judged",
                      task, test.clusters, test.effective_clusters, kFewestClusters,
                      kFewestEffectiveClusters),
      {task}));
}

void FindMajority(const QualityInput& input, const std::string& task,
                  const std::vector<size_t>& items, std::vector<Finding>* findings) {
  const LabelShares shares = GoldShares(input.corpus, items);
  if (!shares.by_text || shares.majority <= kLargeMajority) return;
  const size_t most =
      std::max_element(shares.counts.begin(), shares.counts.end()) - shares.counts.begin();
  findings->push_back(MakeFinding(
      input, Severity::kWarning, "label_balance",
      absl::StrFormat(
          "task %s: %.0f %% of the items have the answer \"%s\"; always giving it scores "
          "as much",
          task, 100 * shares.majority, shares.labels[most]),
      {task}));
}

// Whether one position holds the answer far more often than the sizes of the choice lists explain.
void FindPosition(const QualityInput& input, const std::string& task,
                  const std::vector<size_t>& items, std::vector<Finding>* findings) {
  std::map<int64_t, double> found, expected, variance;
  for (const size_t i : items) {
    const Item& item = input.corpus.items[i];
    const double share = static_cast<double>(item.gold.size()) / item.choices.size();
    for (const int64_t gold : item.gold) found[gold] += 1;
    for (size_t k = 0; k < item.choices.size(); ++k) {
      expected[static_cast<int64_t>(k)] += share;
      variance[static_cast<int64_t>(k)] += share * (1 - share);
    }
  }
  for (const auto& [position, mean] : expected) {
    if (found[position] - mean <= kPositionErrors * std::sqrt(variance[position])) continue;
    findings->push_back(MakeFinding(
        input, Severity::kWarning, "answer_position",
        absl::StrFormat("task %s: choice %d is the answer of %.0f items where about %.0f are "
                        "expected; shuffle the choices",
                        task, position + 1, found[position], mean),
        {task}));
  }
}

void FindLengthCue(const QualityInput& input, const std::string& task,
                   const std::vector<size_t>& items, std::vector<Finding>* findings) {
  double longest_is_gold = 0, expected = 0, variance = 0;
  for (const size_t i : items) {
    const Item& item = input.corpus.items[i];
    if (item.multi_label) return;
    std::vector<int64_t> lengths;
    for (const std::string& choice : item.choices) lengths.push_back(CodePoints(choice));
    const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    if (std::count(lengths.begin(), lengths.end(), longest) > 1) continue;
    longest_is_gold += lengths[item.gold.front()] == longest;
    const double share = 1.0 / static_cast<double>(item.choices.size());
    expected += share;
    variance += share * (1 - share);
  }
  if (longest_is_gold - expected <= kPositionErrors * std::sqrt(variance)) return;
  findings->push_back(MakeFinding(
      input, Severity::kWarning, "lengths",
      absl::StrFormat(
          "task %s: the longest choice is the answer of %.0f items where about %.0f are "
          "expected; length gives answers away",
          task, longest_is_gold, expected),
      {task}));
}

// Reports `ids` whose field `what` is missing.
void ReportMissing(const QualityInput& input, const std::string& check, const std::string& what,
                   const std::vector<std::string>& ids, std::vector<Finding>* findings) {
  if (ids.empty()) return;
  findings->push_back(MakeFinding(input, Severity::kWarning, check,
                                  absl::StrCat(ids.size(), " ", what, ", first ", ids.front()),
                                  ids));
}

bool HoldsConversations(const Corpus& corpus, const std::string& task) {
  return std::any_of(corpus.items.begin(), corpus.items.end(),
                     [&](const Item& item) { return item.task == task && item.is_conversation(); });
}

}  // namespace

void FindConflictingLabels(const QualityInput& input, std::vector<Finding>* findings) {
  std::map<std::string, std::pair<const Item*, std::set<std::string>>> first;
  std::vector<std::string> conflicting;
  for (const Item& item : input.corpus.items) {
    if (item.is_conversation()) continue;
    const std::set<std::string> gold = GoldTexts(item);
    const auto [it, is_first] = first.try_emplace(QuestionKey(item), &item, gold);
    if (!is_first && it->second.second != gold) conflicting.push_back(item.id);
  }
  if (conflicting.empty()) return;
  findings->push_back(
      MakeFinding(input, Severity::kWarning, "conflicting_labels",
                  absl::StrCat(conflicting.size(),
                               " items ask what another item asks and answer otherwise, first ",
                               conflicting.front(), ": nobody can be right on both"),
                  conflicting));
}

void FindEmptySplits(const QualityInput& input, std::vector<Finding>* findings) {
  const auto missing = [&](const std::string& text, const std::string& subject) {
    findings->push_back(MakeFinding(input, Severity::kError, "empty_split", text, {subject}));
  };
  if (input.corpus.items.empty()) {
    findings->push_back(MakeFinding(input, Severity::kWarning, "empty_split",
                                    "the corpus has no items: nothing can be evaluated", {}));
    return;
  }
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    if (input.assignment.CountItems(split) > 0) continue;
    missing(absl::StrCat("no item is in ", SplitName(split),
                         ": change data.split, or add documents with items"),
            SplitName(split));
  }
  for (const std::string& task : input.tasks) {
    // Conversations are trained, and nothing is evaluated on them.
    if (HoldsConversations(input.corpus, task)) continue;
    const size_t all = ItemsOf(input.corpus, input.assignment, Split::kTrain, {task}).size() +
                       ItemsOf(input.corpus, input.assignment, Split::kValidation, {task}).size();
    const size_t test = ItemsOf(input.corpus, input.assignment, Split::kTest, {task}).size();
    if (test > 0) continue;
    missing(absl::StrCat("task ", task, all == 0 ? " has no items" : " has no test items",
                         ": nothing about it can be evaluated"),
            task);
  }
}

void FindImbalance(const QualityInput& input, std::vector<Finding>* findings) {
  for (const std::string& task : input.tasks) {
    std::vector<size_t> items;
    for (size_t i = 0; i < input.corpus.items.size(); ++i) {
      const Item& item = input.corpus.items[i];
      if (item.task == task && !item.is_conversation()) items.push_back(i);
    }
    FindFewClusters(input, task, findings);
    if (items.size() < kFewestForBalance) continue;
    FindMajority(input, task, items, findings);
    FindPosition(input, task, items, findings);
    FindLengthCue(input, task, items, findings);
  }
}

void FindMissingFields(const QualityInput& input, std::vector<Finding>* findings) {
  std::vector<std::string> undated, without_language;
  for (const Document& document : input.corpus.documents) {
    if (document.as_of.empty()) undated.push_back(document.id);
    if (document.language.empty()) without_language.push_back(document.id);
  }
  ReportMissing(input, "as_of", "documents do not say for which day they were true (as_of)",
                undated, findings);
  ReportMissing(input, "language", "documents do not say their language", without_language,
                findings);
}

}  // namespace scm::corpus
