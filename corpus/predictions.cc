#include "corpus/predictions.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/json.h"
#include "common/text.h"

namespace scm::corpus {
namespace {

constexpr size_t kShown = 60;  // bytes of a wrong value in a message

using ItemsById = std::map<std::string, const Item*>;

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

std::string WrongAnswer(const Item& item, const Json& predicted) {
  const std::string found = predicted.is_null() ? "nothing" : LineOf(DumpJson(predicted), kShown);
  return absl::StrCat("predicted: expected ", item.multi_label ? "a list of indices" : "an index",
                      " from 0 to ", item.choices.size() - 1, " for item ", item.id, ", found ",
                      found, predicted.is_string() ? ", which is text" : "");
}

// What is wrong with one line; "" after its answer has been taken.
std::string TakeLine(absl::string_view line, const ItemsById& items,
                     PredictedAnswers& predictions) {
  const absl::StatusOr<Json> json = ParseJson(line, "line");
  if (!json.ok()) return std::string(json.status().message());
  const std::string id = StringAt(*json, "id");
  if (id.empty()) return "expected {\"id\": ITEM, \"predicted\": INDEX or [INDICES]}";
  const auto found = items.find(id);
  if (found == items.end()) return "";
  const Item& item = *found->second;
  const Json& predicted = MemberAt(*json, "predicted");
  const std::vector<int64_t> indices = IndicesOf(predicted);
  const bool good = !indices.empty() && indices.front() >= 0 &&
                    indices.back() < static_cast<int64_t>(item.choices.size()) &&
                    (item.multi_label || indices.size() == 1);
  if (!good) return WrongAnswer(item, predicted);
  if (!predictions.answers.emplace(id, indices).second) {
    return absl::StrCat("item ", id, " is answered twice");
  }
  return "";
}

}  // namespace

PredictedAnswers ReadPredictions(absl::string_view text, const std::string& what,
                                 const std::vector<const Item*>& items) {
  ItemsById by_id;
  for (const Item* item : items) by_id.emplace(item->id, item);
  PredictedAnswers predictions;
  int64_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    const std::string problem = TakeLine(line, by_id, predictions);
    if (!problem.empty()) {
      predictions.problems.push_back(absl::StrCat(what, ":", number, ": ", problem));
    }
  }
  return predictions;
}

std::string LackingAnswers(const PredictedAnswers& predictions, const std::string& what,
                           const std::string& task, const std::vector<const Item*>& items) {
  int64_t lacking = 0;
  std::string first;
  for (const Item* item : items) {
    if (predictions.answers.count(item->id) > 0) continue;
    if (lacking++ == 0) first = item->id;
  }
  if (lacking == 0) return "";
  return absl::StrCat(what, " lacks ", lacking, " of ", items.size(), " items of ", task,
                      " (first: ", first, ")");
}

}  // namespace scm::corpus
