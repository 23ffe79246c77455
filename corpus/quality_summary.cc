// Counts that describe a corpus, for the check's artifact and the report.
#include <algorithm>
#include <map>
#include <set>

#include "corpus/quality_checks.h"
#include "corpus/task_statistics.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace {

Json LengthStatistics(std::vector<int64_t> lengths) {
  if (lengths.empty()) return nullptr;
  std::sort(lengths.begin(), lengths.end());
  return {{"min", lengths.front()},
          {"median", lengths[(lengths.size() - 1) / 2]},
          {"max", lengths.back()}};
}

Json ConversationSummary(const Corpus& corpus, const std::vector<size_t>& members,
                         const Json& items, const Json& clusters) {
  std::vector<int64_t> turns, answers;
  for (const size_t i : members) {
    turns.push_back(static_cast<int64_t>(corpus.items[i].messages.size()));
    for (const Message& message : corpus.items[i].messages) {
      if (message.role == "assistant") answers.push_back(CodePoints(message.content));
    }
  }
  return {{"conversations", true},
          {"items", items},
          {"clusters", clusters},
          {"turns", LengthStatistics(turns)},
          {"answer_characters", LengthStatistics(answers)}};
}

Json TaskSummary(const QualityInput& input, const std::string& task) {
  Json items = Json::object(), clusters = Json::object();
  std::vector<size_t> all;
  for (const Split split : kAllSplits) {
    const std::vector<size_t> members = ItemsOf(input.corpus, input.assignment, split, {task});
    std::set<std::string> names;
    for (const size_t i : members) names.insert(input.corpus.items[i].cluster_id);
    items[SplitName(split)] = members.size();
    clusters[SplitName(split)] = names.size();
    all.insert(all.end(), members.begin(), members.end());
  }
  if (!all.empty() && input.corpus.items[all.front()].is_conversation()) {
    return ConversationSummary(input.corpus, all, items, clusters);
  }
  std::vector<int64_t> prompts, choices, counts;
  bool multi_label = false;
  for (const size_t i : all) {
    const Item& item = input.corpus.items[i];
    multi_label = item.multi_label;
    prompts.push_back(CodePoints(item.prompt));
    counts.push_back(static_cast<int64_t>(item.choices.size()));
    for (const std::string& choice : item.choices) choices.push_back(CodePoints(choice));
  }
  const LabelShares shares = GoldShares(input.corpus, all);
  Json labels = Json::object();
  for (size_t k = 0; k < shares.labels.size(); ++k) labels[shares.labels[k]] = shares.counts[k];
  const std::vector<size_t> test = ItemsOf(input.corpus, input.assignment, Split::kTest, {task});
  const ItemSetStatistics statistics = SingleLabelStatistics(input.corpus, test);
  return {{"multi_label", multi_label},
          {"items", items},
          {"clusters", clusters},
          {"effective_test_clusters", statistics.effective_clusters},
          {"test_chance", statistics.chance},
          {"majority_share", shares.majority},
          {shares.by_text ? "labels" : "answer_positions", labels},
          {"choices", LengthStatistics(counts)},
          {"prompt_characters", LengthStatistics(prompts)},
          {"choice_characters", LengthStatistics(choices)}};
}

Json CountsToJson(const std::map<std::string, int64_t>& counts) {
  Json json = Json::object();
  for (const auto& [name, count] : counts) json[name.empty() ? "not said" : name] = count;
  return json;
}

}  // namespace

Json SummarizeCorpus(const QualityInput& input) {
  const Corpus& corpus = input.corpus;
  Json documents = Json::object(), items = Json::object(), tasks = Json::object();
  for (const Split split : kAllSplits) {
    documents[SplitName(split)] = input.assignment.CountDocuments(split);
    items[SplitName(split)] = input.assignment.CountItems(split);
  }
  std::map<std::string, int64_t> jurisdictions, languages, domains;
  for (const Document& document : corpus.documents) {
    ++jurisdictions[document.jurisdiction];
    ++languages[document.language];
    ++domains[document.domain];
  }
  for (const std::string& task : corpus.TaskNames()) tasks[task] = TaskSummary(input, task);
  return {{"name", corpus.info.name},
          {"note", corpus.info.note},
          {"documents", corpus.documents.size()},
          {"items", corpus.items.size()},
          {"splits", {{"documents", documents}, {"items", items}}},
          {"tasks", tasks},
          {"jurisdictions", CountsToJson(jurisdictions)},
          {"domains", CountsToJson(domains)},
          {"languages", CountsToJson(languages)}};
}

}  // namespace scm::corpus
