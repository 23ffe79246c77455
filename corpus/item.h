// A question with its possible answers. What is trained and scored is prompt + " " + choice.
// Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace scm::corpus {

enum class Split { kTrain, kValidation, kTest };
inline constexpr Split kAllSplits[] = {Split::kTrain, Split::kValidation, Split::kTest};

// "train", "validation", "test".
const char* SplitName(Split split);
std::optional<Split> SplitFromName(const std::string& name);

struct Item {
  std::string id;  // [A-Za-z0-9._:-]+, unique among items
  std::string task;
  std::string document;  // id of the Document it was made from
  std::string prompt;
  std::vector<std::string> choices;  // at least two
  std::vector<int64_t> gold;         // ascending indices into `choices`; one unless multi_label
  bool multi_label = false;          // the file gives gold as a list; the same in a whole task
  std::string cluster_id;      // items whose errors go together; the document's id if not given
  std::string jurisdiction;    // the document's if not given
  std::string as_of;           // the document's if not given
  std::optional<Split> split;  // overrides the split by document
  std::string file;
  int line = 0;
};

}  // namespace scm::corpus
