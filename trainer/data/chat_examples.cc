#include "trainer/data/chat_examples.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace scm::trainer {

namespace {

// How many tokens from the first on lie within `text`, with which their text begins. It is ASCII,
// so that the text of any of them can be had by itself.
size_t CountWithin(const model::Tokenizer& tokenizer, const std::vector<int32_t>& tokens,
                   absl::string_view text) {
  size_t count = 0;
  for (; count < tokens.size(); ++count) {
    const std::string token = tokenizer.Decode({tokens[count]});
    if (token.empty() || !absl::ConsumePrefix(&text, token)) break;
  }
  return count;
}

}  // namespace

absl::StatusOr<ChatEncoder> ChatEncoder::Make(const model::Tokenizer& tokenizer,
                                              model::ChatTemplate chat) {
  ChatEncoder encoder(tokenizer, std::move(chat));
  std::vector<std::string> special = encoder.chat_.special_tokens();
  if (encoder.chat_.puts_start()) {
    if (tokenizer.bos_token() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the chat template (", encoder.chat_.name(),
                       ") begins with the start token, but the tokenizer names none"));
    }
    encoder.start_ = tokenizer.Decode({tokenizer.bos_token()});
    special.push_back(encoder.start_);
  }
  for (const std::string& text : special) SCM_RETURN_IF_ERROR(encoder.FindSpecial(text));
  return encoder;
}

absl::Status ChatEncoder::FindSpecial(const std::string& text) {
  SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> alone, tokenizer_->Encode(text, true));
  if (alone.size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat("the chat template (", chat_.name(),
                                                   ") writes the special token ", text,
                                                   ", which the tokenizer lacks"));
  }
  for (const char* neighbour : {"\n", "x"}) {
    SCM_ASSIGN_OR_RETURN(std::vector<int32_t> expected, tokenizer_->Encode(neighbour, true));
    const std::vector<int32_t> behind = expected;
    expected.push_back(alone[0]);
    expected.insert(expected.end(), behind.begin(), behind.end());
    SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> between,
                         tokenizer_->Encode(absl::StrCat(neighbour, text, neighbour), true));
    if (between == expected) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "the special token ", text, " of the chat template (", chat_.name(), ") is lstrip, rstrip ",
        "or single_word in the tokenizer; conversations need it without"));
  }
  special_[text] = alone[0];
  return absl::OkStatus();
}

// Tokenises what stands between two special tokens: at most a text of the template, then an answer.
absl::Status ChatEncoder::AppendPlain(const std::vector<model::ChatPiece>& run, bool parse_special,
                                      TokenExample* example) const {
  std::string text, before;
  for (const model::ChatPiece& piece : run) {
    if (!piece.answer) absl::StrAppend(&before, piece.text);
    absl::StrAppend(&text, piece.text);
  }
  SCM_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, tokenizer_->Encode(text, parse_special));
  const size_t first =
      before.size() == text.size() ? tokens.size() : CountWithin(*tokenizer_, tokens, before);
  example->tokens.insert(example->tokens.end(), tokens.begin(), tokens.end());
  for (size_t i = 0; i < tokens.size(); ++i) example->predicted.push_back(i >= first);
  return absl::OkStatus();
}

absl::StatusOr<TokenExample> ChatEncoder::Encode(const std::vector<model::ChatMessage>& messages,
                                                 const ExampleOptions& options) const {
  TokenExample example;
  std::vector<model::ChatPiece> run;
  for (model::ChatPiece& piece : chat_.Render(messages, start_)) {
    if (!piece.special) {
      run.push_back(std::move(piece));
      continue;
    }
    SCM_RETURN_IF_ERROR(AppendPlain(run, options.parse_special, &example));
    run.clear();
    example.tokens.push_back(special_.at(piece.text));
    example.predicted.push_back(piece.answer && options.end_token);
  }
  SCM_RETURN_IF_ERROR(AppendPlain(run, options.parse_special, &example));
  const auto size = static_cast<int64_t>(example.tokens.size());
  if (size > options.max_length) {
    example.cut = size - options.max_length;
    example.tokens.resize(static_cast<size_t>(options.max_length));
    example.predicted.resize(static_cast<size_t>(options.max_length));
  }
  const auto first = std::find(example.predicted.begin(), example.predicted.end(), true);
  if (first == example.predicted.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the first answer begins behind data.max_length ", options.max_length,
                     " tokens, so nothing of the conversation would be learnt; raise it or shorten "
                     "what stands before"));
  }
  example.answer_start = first - example.predicted.begin();
  return example;
}

absl::StatusOr<std::optional<ChatEncoder>> ChatEncoderFor(const corpus::Corpus& corpus,
                                                          const model::ModelSource& model,
                                                          const model::Tokenizer& tokenizer) {
  const auto talk = std::find_if(corpus.items.begin(), corpus.items.end(),
                                 [](const corpus::Item& item) { return item.is_conversation(); });
  if (talk == corpus.items.end()) return std::nullopt;
  absl::StatusOr<model::ChatTemplate> chat = model.MakeChatTemplate();
  absl::StatusOr<ChatEncoder> encoder =
      chat.ok() ? ChatEncoder::Make(tokenizer, *std::move(chat)) : chat.status();
  if (encoder.ok()) return std::optional<ChatEncoder>(*std::move(encoder));
  return absl::InvalidArgumentError(absl::StrCat(talk->file, ":", talk->line, ": item ", talk->id,
                                                 " is a conversation, but ",
                                                 encoder.status().message()));
}

}  // namespace scm::trainer
