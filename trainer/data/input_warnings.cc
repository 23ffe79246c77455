#include "trainer/data/input_warnings.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::trainer {
namespace {

bool StopsAt(const model::ModelSource& model, int32_t end) {
  const std::vector<int64_t>& stops = model.config().stop_tokens;
  return stops.empty() || std::find(stops.begin(), stops.end(), end) != stops.end();
}

std::string EndTokenWarning(const model::ModelSource& model, const model::Tokenizer& tokenizer,
                            int32_t end, const char* whose) {
  return absl::StrCat("data.end_token: the end token that is trained is ", end, " (\"",
                      tokenizer.Decode({end}), "\", ", whose,
                      "), but by the model's eos_token_id generation stops at ",
                      absl::StrJoin(model.config().stop_tokens, ", "),
                      " only; make them agree, or the model will not stop");
}

void WarnOfEndToken(const model::ModelSource& model, const model::Tokenizer& tokenizer,
                    std::vector<std::string>* warnings) {
  const int32_t end = tokenizer.eos_token();
  if (end < 0) {
    warnings->push_back(absl::StrCat(
        "data.end_token: the tokenizer of ", model.path(),
        " names no end token, so none is trained and the model does not learn to stop"));
    return;
  }
  if (StopsAt(model, end)) return;
  warnings->push_back(EndTokenWarning(model, tokenizer, end, "the tokenizer's"));
}

// Counts texts with markup and keeps the first as an example.
class MarkupCounter {
 public:
  explicit MarkupCounter(const model::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // Whether `text` holds a special token's text, which `token` becomes then.
  bool Holds(const std::string& text, std::string* token) const {
    *token = tokenizer_.FindSpecial(text);
    return !token->empty();
  }
  void See(const std::vector<const std::string*>& texts, const std::string& file, int64_t line) {
    ++total_;
    std::string token;
    const bool any = std::any_of(texts.begin(), texts.end(),
                                 [&](const std::string* text) { return Holds(*text, &token); });
    if (any && found_++ == 0) example_ = absl::StrCat("\"", token, "\" in ", file, ":", line);
  }
  void Warn(const char* what, std::vector<std::string>* warnings) const {
    if (found_ == 0) return;
    warnings->push_back(absl::StrCat(
        found_, " of ", total_, " ", what,
        " hold the text of a special token of the model, the first ", example_,
        ". By data.special_tokens: text it is read as plain characters; transformers and "
        "lm-evaluation-harness make the token of it, as data.special_tokens: parse does here"));
  }

 private:
  const model::Tokenizer& tokenizer_;
  int64_t total_ = 0, found_ = 0;
  std::string example_;
};

}  // namespace

std::vector<std::string> ModelWarnings(const model::ModelSource& model,
                                       const model::Tokenizer& tokenizer, const DataSpec* data) {
  std::vector<std::string> warnings = model.warnings();
  for (std::string& warning : tokenizer.warnings()) {
    warnings.push_back(absl::StrCat(model.path(), ": ", warning));
  }
  if (data == nullptr) return warnings;
  const int64_t positions = model.config().max_position;
  if (data->max_length > positions) {
    warnings.push_back(absl::StrCat("data.max_length ", data->max_length, " is beyond the ",
                                    positions, " positions of ", model.path(),
                                    " (max_position_embeddings): what it says about longer "
                                    "examples was never trained. Use at most ",
                                    positions));
  }
  if (data->end_token) WarnOfEndToken(model, tokenizer, &warnings);
  return warnings;
}

std::vector<std::string> ChatWarnings(const model::ModelSource& model,
                                      const model::Tokenizer& tokenizer, const ChatEncoder& chat,
                                      const DataSpec& data) {
  const int32_t end = chat.end_token();
  if (!data.end_token || end == tokenizer.eos_token() || StopsAt(model, end)) return {};
  return {EndTokenWarning(model, tokenizer, end, "behind every answer of a conversation")};
}

std::vector<std::string> MarkupWarnings(const corpus::Corpus& corpus,
                                        const model::Tokenizer& tokenizer, const DataSpec& data,
                                        bool documents) {
  std::vector<std::string> warnings;
  if (data.special_tokens != "text") return warnings;
  MarkupCounter items(tokenizer), texts(tokenizer);
  for (const corpus::Item& item : corpus.items) {
    std::vector<const std::string*> parts = {&item.prompt};
    for (const std::string& choice : item.choices) parts.push_back(&choice);
    for (const corpus::Message& turn : item.messages) parts.push_back(&turn.content);
    items.See(parts, item.file, item.line);
  }
  items.Warn("items", &warnings);
  if (!documents) return warnings;
  for (const corpus::Document& document : corpus.documents) {
    texts.See({&document.text}, document.file, document.line);
  }
  texts.Warn("documents", &warnings);
  return warnings;
}

}  // namespace scm::trainer
