#include "evaluator/predictions.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm {
namespace {

using Answers = std::map<std::string, std::vector<int64_t>>;

// The ascending indices of "predicted"; empty when it is none.
std::vector<int64_t> IndicesOf(const Json& predicted) {
  std::set<int64_t> indices;
  if (predicted.is_number_integer()) indices.insert(predicted.get<int64_t>());
  if (predicted.is_array()) {
    for (const Json& one : predicted) {
      if (!one.is_number_integer()) return {};
      indices.insert(one.get<int64_t>());
    }
  }
  return {indices.begin(), indices.end()};
}

absl::Status ReadLine(absl::string_view line, const std::string& where,
                      const std::map<std::string, const Item*>& items, Answers* answers) {
  SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(line, where));
  const std::string id = StringAt(json, "id");
  if (id.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": expected {\"id\": ITEM, \"predicted\": INDEX or [INDICES]}"));
  }
  const auto item = items.find(id);
  if (item == items.end()) return absl::OkStatus();
  const std::vector<int64_t> indices = IndicesOf(MemberAt(json, "predicted"));
  const int64_t choices = static_cast<int64_t>(item->second->choices.size());
  const bool good = !indices.empty() && indices.front() >= 0 && indices.back() < choices &&
                    (item->second->multi_label || indices.size() == 1);
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": predicted: expected ",
                     item->second->multi_label ? "a list of indices" : "an index", " from 0 to ",
                     choices - 1, " for item ", id));
  }
  if (!answers->emplace(id, indices).second) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": item ", id, " is answered twice"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Answers> ReadAnswers(const std::string& path, const std::vector<TestTask>& tasks) {
  std::map<std::string, const Item*> items;
  for (const TestTask& task : tasks) {
    for (const Item* item : task.items) items.emplace(item->id, item);
  }
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Answers answers;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    SCM_RETURN_IF_ERROR(ReadLine(line, absl::StrCat(path, ":", number), items, &answers));
  }
  return answers;
}

}  // namespace

absl::StatusOr<ImportedPredictions> ImportPredictions(const std::string& path,
                                                      const std::vector<TestTask>& tasks) {
  SCM_ASSIGN_OR_RETURN(const Answers answers, ReadAnswers(path, tasks));
  ImportedPredictions result;
  for (const TestTask& task : tasks) {
    TaskScores scores;
    int64_t lacking = 0;
    std::string first;
    for (const Item* item : task.items) {
      const auto answer = answers.find(item->id);
      if (answer == answers.end()) {
        if (lacking++ == 0) first = item->id;
        continue;
      }
      scores.predicted.push_back(answer->second);
      scores.correct.push_back(IsCorrect(*item, answer->second));
    }
    if (lacking == 0) {
      result.scores.tasks[task.name] = std::move(scores);
      continue;
    }
    absl::StrAppend(&result.missing, result.missing.empty() ? "" : "; ", path, " lacks ", lacking,
                    " of ", task.items.size(), " items of ", task.name, " (first: ", first, ")");
  }
  return result;
}

}  // namespace scm
