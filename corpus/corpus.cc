#include "corpus/corpus.h"

#include "absl/strings/str_cat.h"

namespace scm::corpus {

const char* SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "";
}

std::optional<Split> SplitFromName(const std::string& name) {
  for (const Split split : kAllSplits) {
    if (name == SplitName(split)) return split;
  }
  return std::nullopt;
}

const Document* Corpus::FindDocument(const std::string& id) const {
  const auto it = document_index.find(id);
  return it == document_index.end() ? nullptr : &documents[it->second];
}

std::string TextOf(const Item& item) {
  if (!item.is_conversation()) return item.prompt;
  std::string text;
  for (const Message& message : item.messages) {
    if (message.role != "system") absl::StrAppend(&text, message.content, "\n");
  }
  return text;
}

std::vector<std::string> Corpus::ChoiceTaskNames() const {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Item& item : items) {
    if (!item.is_conversation() && seen.insert(item.task).second) names.push_back(item.task);
  }
  return names;
}

std::vector<std::string> Corpus::TaskNames() const {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (const Item& item : items) {
    if (seen.insert(item.task).second) names.push_back(item.task);
  }
  return names;
}

}  // namespace scm::corpus
