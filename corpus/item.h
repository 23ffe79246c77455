// A question with its possible answers, of which prompt + " " + choice is trained and scored; or a
// conversation, of which the assistant's turns are trained. Values only.
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

// One turn of a conversation.
struct Message {
  std::string role;  // "system" (only the first), "user" or "assistant" (the last)
  std::string content;
  bool operator==(const Message&) const = default;
};

struct Item {
  std::string id;  // [A-Za-z0-9._:-]+, unique among items
  std::string task;
  std::string document;  // id of the Document it was made from
  std::string prompt;
  std::vector<std::string> choices;  // at least two
  std::vector<int64_t> gold;         // ascending indices into `choices`; one unless multi_label
  bool multi_label = false;          // the file gives gold as a list; the same in a whole task
  std::vector<Message> messages;     // instead of prompt, choices and gold, in a whole task
  std::string cluster_id;      // items whose errors go together; the document's id if not given
  std::string jurisdiction;    // the document's if not given
  std::string as_of;           // the document's if not given
  std::optional<Split> split;  // overrides the split by document
  std::string file;
  int line = 0;

  bool is_conversation() const { return !messages.empty(); }
};

// What is asked and answered, for comparing items: the prompt, or all turns but the system's, which
// conversations often have in common.
std::string TextOf(const Item& item);

}  // namespace scm::corpus
