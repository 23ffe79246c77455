// scm-chat-probe MODEL FILE [--special]: tokens and labels of conversations (a JSON list of
// messages a line), as training makes them, for comparing with transformers.
#include <iostream>
#include <string>

#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "model/open_model.h"
#include "trainer/data/chat_examples.h"

namespace scm::trainer {
namespace {

absl::Status PrintExamples(const std::string& path, const std::string& file, bool special) {
  SCM_ASSIGN_OR_RETURN(const auto model, model::OpenModel(path));
  SCM_ASSIGN_OR_RETURN(const auto tokenizer, model->MakeTokenizer());
  SCM_ASSIGN_OR_RETURN(model::ChatTemplate chat, model->MakeChatTemplate());
  SCM_ASSIGN_OR_RETURN(const ChatEncoder encoder, ChatEncoder::Make(*tokenizer, std::move(chat)));
  const ExampleOptions options{.max_length = 1 << 20, .parse_special = special, .end_token = true};
  SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
  for (const absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    SCM_ASSIGN_OR_RETURN(const Json json, ParseJson(line, file));
    std::vector<model::ChatMessage> messages;
    for (const Json& message : json) {
      messages.push_back({StringAt(message, "role"), StringAt(message, "content")});
    }
    SCM_ASSIGN_OR_RETURN(const TokenExample example, encoder.Encode(messages, options));
    Json predicted = Json::array();
    for (const bool label : example.predicted) predicted.push_back(label ? 1 : 0);
    std::cout << DumpJson(Json{{"tokens", example.tokens}, {"predicted", predicted}}) << "\n";
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::trainer

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: scm-chat-probe MODEL FILE [--special]\n";
    return 2;
  }
  const absl::Status status = scm::trainer::PrintExamples(
      argv[1], argv[2], argc > 3 && std::string(argv[3]) == "--special");
  if (status.ok()) return 0;
  std::cerr << "scm-chat-probe: " << status.message() << "\n";
  return 2;
}
