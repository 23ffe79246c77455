#include "trainer/data/input_warnings.h"

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/open_model.h"
#include "tests/model/builders.h"

namespace scm::trainer {
namespace {

using model::ModelSource;
using model::OpenModel;
using model::TemporaryDirectory;
using model::TinyConfigJson;
using model::TinyTokenizerJson;
using model::Tokenizer;
using model::WriteTinyModel;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Opened {
  TemporaryDirectory directory;
  std::unique_ptr<ModelSource> model;
  std::unique_ptr<Tokenizer> tokenizer;

  void Open() {
    model = *OpenModel(directory.path());
    tokenizer = *model->MakeTokenizer();
  }
};

TEST(ModelWarnings, LengthBeyondThePositions) {
  Opened tiny;
  WriteTinyModel(tiny.directory);
  tiny.Open();
  DataSpec data;
  data.max_length = 64;
  EXPECT_THAT(ModelWarnings(*tiny.model, *tiny.tokenizer, &data), IsEmpty());
  data.max_length = 65;
  EXPECT_THAT(ModelWarnings(*tiny.model, *tiny.tokenizer, &data),
              ElementsAre(AllOf(HasSubstr("data.max_length 65"), HasSubstr("64 positions"))));
  EXPECT_THAT(ModelWarnings(*tiny.model, *tiny.tokenizer, nullptr), IsEmpty());
}

TEST(ModelWarnings, EndTokensThatDoNotEndAnything) {
  DataSpec data;
  data.max_length = 64;
  const struct {
    const char *config, *generation;
    const char* warning;  // null = none
  } cases[] = {
      {R"({"eos_token": "<|b|>"})", "{}", nullptr},
      {R"({"eos_token": "<|a|>"})", "{}", "end token that is trained is 262 (\"<|a|>\""},
      {R"({"eos_token": "<|a|>"})", R"({"eos_token_id": [263, 262]})", nullptr},
      {R"({"eos_token": "<|b|>"})", R"({"eos_token_id": 5})", "stops at 5 only"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.config);
    Opened tiny;
    WriteTinyModel(tiny.directory);
    tiny.directory.Write("tokenizer_config.json", c.config);
    tiny.directory.Write("generation_config.json", c.generation);
    tiny.Open();
    const auto warnings = ModelWarnings(*tiny.model, *tiny.tokenizer, &data);
    ASSERT_EQ(warnings.size(), c.warning == nullptr ? 0u : 1u);
    if (c.warning != nullptr) {
      EXPECT_THAT(warnings[0], HasSubstr(c.warning));
    }
  }
  Opened endless;
  WriteTinyModel(endless.directory);
  Json config = TinyConfigJson();
  config.erase("eos_token_id");
  endless.directory.Write("config.json", config.dump());
  endless.Open();
  EXPECT_THAT(ModelWarnings(*endless.model, *endless.tokenizer, &data),
              ElementsAre(HasSubstr("names no end token")));
  data.end_token = false;
  EXPECT_THAT(ModelWarnings(*endless.model, *endless.tokenizer, &data), IsEmpty());
}

// The turn's end is trained as well, and the model may not stop at it.
TEST(ChatWarnings, GenerationThatGoesOnBehindAnAnswer) {
  for (const bool stops : {false, true}) {
    Opened tiny;
    WriteTinyModel(tiny.directory);
    Json config = TinyConfigJson();
    config["eos_token_id"] = stops ? Json{262, 263} : Json(262);
    tiny.directory.Write("config.json", config.dump());
    tiny.directory.Write("tokenizer.json",
                         absl::StrReplaceAll(TinyTokenizerJson().dump(),
                                             {{"<|a|>", "<|im_start|>"}, {"<|b|>", "<|im_end|>"}}));
    tiny.directory.Write(
        "chat_template.jinja",
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
        "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}");
    tiny.Open();
    corpus::Corpus corpus;
    EXPECT_FALSE(trainer::ChatEncoderFor(corpus, *tiny.model, *tiny.tokenizer)->has_value());
    corpus.items.emplace_back().messages = {{"user", "q"}, {"assistant", "a"}};
    const auto chat = trainer::ChatEncoderFor(corpus, *tiny.model, *tiny.tokenizer);
    ASSERT_TRUE(chat.ok()) << chat.status();
    DataSpec data;
    const auto warnings = trainer::ChatWarnings(*tiny.model, *tiny.tokenizer, **chat, data);
    ASSERT_EQ(warnings.size(), stops ? 0u : 1u);
    if (!stops) {
      EXPECT_THAT(warnings[0], AllOf(HasSubstr("263 (\"<|im_end|>\""), HasSubstr("262 only")));
    }
    data.end_token = false;
    EXPECT_THAT(trainer::ChatWarnings(*tiny.model, *tiny.tokenizer, **chat, data), IsEmpty());
  }
}

TEST(MarkupWarnings, CountsTextsAndShowsOne) {
  Opened tiny;
  WriteTinyModel(tiny.directory);
  tiny.Open();
  corpus::Corpus corpus;
  for (int i = 0; i < 3; ++i) {
    corpus::Item item;
    item.file = "items/x.jsonl";
    item.line = i + 1;
    item.prompt = i == 1 ? "<|a|>what" : "what";
    item.choices = {"yes", i == 2 ? "no<|b|>" : "no"};
    corpus.items.push_back(item);
  }
  corpus::Document document;
  document.file = "documents/y.jsonl";
  document.line = 9;
  document.text = "x <|b|> y";
  corpus.documents.push_back(document);
  DataSpec data;
  EXPECT_THAT(
      trainer::MarkupWarnings(corpus, *tiny.tokenizer, data, false),
      ElementsAre(AllOf(HasSubstr("2 of 3 items"), HasSubstr("\"<|a|>\" in items/x.jsonl:2"),
                        HasSubstr("data.special_tokens: parse"))));
  EXPECT_THAT(trainer::MarkupWarnings(corpus, *tiny.tokenizer, data, true),
              ElementsAre(HasSubstr("items"), HasSubstr("1 of 1 documents")));
  data.special_tokens = "parse";
  EXPECT_THAT(trainer::MarkupWarnings(corpus, *tiny.tokenizer, data, true), IsEmpty());
}

}  // namespace
}  // namespace scm::trainer
