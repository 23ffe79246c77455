// The answers of a system that cannot be run here: JSON lines {"id": item, "predicted": index or
// [indices]}. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "corpus/corpus.h"
#include "corpus/split.h"

namespace scm::corpus {

struct PredictedAnswers {
  std::map<std::string, std::vector<int64_t>> answers;  // by item id, ascending indices
  // "FILE:LINE: …", every one: what is no prediction, an index outside the item's choices, or an
  // item that is answered twice.
  std::vector<std::string> problems;
};

// `what` names the file in messages. Answers to items that are not among `items` are ignored, so
// that one file can serve several splits.
PredictedAnswers ReadPredictions(absl::string_view text, const std::string& what,
                                 const std::vector<const Item*>& items);

// "FILE lacks 3 of 40 items of TASK (first: ID)", or "" when all are answered.
std::string LackingAnswers(const PredictedAnswers& predictions, const std::string& what,
                           const std::string& task, const std::vector<const Item*>& items);

}  // namespace scm::corpus
