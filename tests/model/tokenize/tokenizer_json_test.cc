#include "model/tokenize/tokenizer_json.h"

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ids = std::vector<int32_t>;

absl::StatusOr<std::unique_ptr<Tokenizer>> Make(const Json& json,
                                                const TokenizerSettings& settings = {},
                                                int64_t limit = 300) {
  return TokenizerFromJson(json.dump(), settings, limit, "tokenizer.json");
}

Ids Encode(const Tokenizer& tokenizer, absl::string_view text, bool special = false) {
  const auto ids = tokenizer.Encode(text, special);
  EXPECT_TRUE(ids.ok()) << ids.status();
  return *ids;
}

// Ids in the tiny vocabulary: bytes are themselves; 256 ho, 257 la, 258 hola, 259 " m", 260 on, 261
// " mu", 262 <|a|>, 263 <|b|>.
TEST(TokenizerJson, Encodes) {
  const auto tokenizer = Make(TinyTokenizerJson());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const struct {
    const char* text;
    Ids ids;
  } cases[] = {{"", {}},
               {"hola", {258}},
               {"hola mundo", {258, 261, 'n', 'd', 'o'}},
               {"holahola", {258, 258}},
               {"xhox", {'x', 256, 'x'}},
               {"é", {0xc3, 0xa9}},
               {"😀", {0xf0, 0x9f, 0x98, 0x80}},
               {"\n \n", {'\n', ' ', '\n'}},
               {"ho la", {256, ' ', 257}}};
  for (const auto& c : cases) EXPECT_EQ(Encode(**tokenizer, c.text), c.ids) << c.text;
  EXPECT_EQ((*tokenizer)->vocabulary_size(), 264);
}

TEST(TokenizerJson, SpecialTokensOnlyOnRequest) {
  const auto tokenizer = Make(TinyTokenizerJson());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "<|a|>hola<|b|>", true), (Ids{262, 258, 263}));
  EXPECT_EQ(Encode(**tokenizer, "<|a|>"), (Ids{'<', '|', 'a', '|', '>'}));
  EXPECT_EQ(Encode(**tokenizer, "<|a|<|a|>", true), (Ids{'<', '|', 'a', '|', 262}));
}

TEST(TokenizerJson, LongestAddedTokenWinsAndPlainOnesAlwaysCount) {
  Json json = TinyTokenizerJson();
  json["added_tokens"].push_back({{"id", 264}, {"content", "<|a|>>"}, {"special", true}});
  json["added_tokens"].push_back({{"id", 265}, {"content", "@@"}, {"special", false}});
  json["added_tokens"].push_back(
      {{"id", 266}, {"content", "|@"}, {"special", false}, {"normalized", true}});
  const auto tokenizer = Make(json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "<|a|>><|a|>", true), (Ids{264, 262}));
  EXPECT_EQ(Encode(**tokenizer, "a@@@b"), (Ids{'a', 265, '@', 'b'}));
  // Tokens that are not normalized come first, wherever they begin.
  EXPECT_EQ(Encode(**tokenizer, "|@@|@"), (Ids{'|', 265, 266}));
}

// Everything but the tokens that are not normalized; `make test-parity` compares every character.
TEST(TokenizerJson, FormC) {
  Json json = TinyTokenizerJson();
  json["normalizer"] = {{"type", "NFC"}};
  for (const auto& [content, normalized] :
       {std::pair("e\u0301", false), std::pair("n\u0303", true)}) {
    json["added_tokens"].push_back({{"id", 262 + json["added_tokens"].size()},
                                    {"content", content},
                                    {"special", false},
                                    {"normalized", normalized}});
  }
  const auto tokenizer = Make(json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const struct {
    const char* text;
    Ids ids;
  } cases[] = {{"a\u0301", {0xc3, 0xa1}},
               {"\u00e9", {0xc3, 0xa9}},
               {"e\u0301", {264}},
               {"\u00f1 n\u0303", {265, ' ', 265}},               // once normalised, both are it
               {"q\u0301\u0323", {'q', 0xcc, 0xa3, 0xcc, 0x81}},  // marks in their order
               {"\u1100\u1161\u11a8", {0xea, 0xb0, 0x81}},
               {"\u2126", {0xce, 0xa9}}};
  for (const auto& c : cases) EXPECT_EQ(Encode(**tokenizer, c.text), c.ids) << c.text;
}

// As tokenizers 0.23 (added_vocabulary.rs) does; `make test-parity` compares random ones.
TEST(TokenizerJson, FlagsOfAddedTokens) {
  const auto encode = [](const Json& flags, absl::string_view text) {
    Json json = TinyTokenizerJson();
    json["added_tokens"].push_back({{"id", 264}, {"content", "@@"}, {"special", false}});
    json["added_tokens"].back().update(flags);
    const auto tokenizer = Make(json);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return Encode(**tokenizer, text);
  };
  const Json left = {{"lstrip", true}}, right = {{"rstrip", true}}, word = {{"single_word", true}};
  const Json both = {{"lstrip", true}, {"rstrip", true}};
  const struct {
    Json flags;
    const char* text;
    Ids ids;
  } cases[] = {{left, "a \t@@ b", {'a', 264, ' ', 'b'}},
               {left, "\u3000@@\n", {264, '\n'}},
               {left, "@@ @@", {264, 264}},
               {right, "a @@ \u2009b", {'a', ' ', 264, 'b'}},
               {right, "@@  @@", {264, 264}},
               {both, " @@ @@ ", {264, 264}},
               {both, "a\u200b@@", {'a', 0xe2, 0x80, 0x8b, 264}},  // no white space
               {word, "@@", {264}},
               {word, "a@@", {'a', '@', '@'}},
               {word, "@@_", {'@', '@', '_'}},
               {word, "-@@-", {'-', 264, '-'}},
               {word, "\u00e9@@", {0xc3, 0xa9, '@', '@'}},
               {word, "@@\u0301", {'@', '@', 0xcc, 0x81}},  // a mark is part of a word
               {word, "@@\U00016d40", {'@', '@', 0xf0, 0x96, 0xb5, 0x80}},  // of Unicode 16
               {word, "@@\u2019", {264, 0xe2, 0x80, 0x99}}};
  for (const auto& c : cases) EXPECT_EQ(encode(c.flags, c.text), c.ids) << c.flags << c.text;
  // The configuration beside it has the last word on flags.
  Json json = TinyTokenizerJson();
  TokenizerSettings settings;
  settings.decoder = {{"<|a|>", 262, true, false, true, false, false}};
  const auto tokenizer = Make(json, settings);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "a <|a|>", true), (Ids{'a', 262}));
}

TEST(TokenizerJson, DecodeUndoesEncode) {
  const auto tokenizer = Make(TinyTokenizerJson());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const char* text : {"", "hola mundo", "¿Qué? 😀\n\t  ñ", "\x01\x7f", "<|a|>x"}) {
    EXPECT_EQ((*tokenizer)->Decode(Encode(**tokenizer, text)), text);
    EXPECT_EQ((*tokenizer)->Decode(Encode(**tokenizer, text, true)), text);
  }
  // Half a character becomes U+FFFD; ids that stand for nothing are left out.
  EXPECT_EQ((*tokenizer)->Decode({'a', 0xc3, 'b'}),
            "a\uFFFD"
            "b");
  EXPECT_EQ((*tokenizer)->Decode({'a', -1, 299, 1 << 30, 'b'}), "ab");
}

TEST(TokenizerJson, InvalidUtf8IsRefusedWithItsPlace) {
  const auto tokenizer = Make(TinyTokenizerJson());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto ids = (*tokenizer)->Encode("abc\xe9 def");
  EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ids.status().message()), HasSubstr("byte 3 (0xe9)"));
}

TEST(TokenizerJson, MergesAsTextOrPairs) {
  Json json = TinyTokenizerJson();
  Json pairs = Json::array();
  for (const std::string& merge : TinyMerges()) {
    const size_t space = merge.find(' ');
    pairs.push_back(Json::array({merge.substr(0, space), merge.substr(space + 1)}));
  }
  json["model"]["merges"] = pairs;
  const auto tokenizer = Make(json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "hola mundo"), (Ids{258, 261, 'n', 'd', 'o'}));
}

TEST(TokenizerJson, SplitDigitsAndIgnoreMerges) {
  Json json = TinyTokenizerJson();
  json["model"]["ignore_merges"] = true;
  json["added_tokens"] = Json::array();
  json["model"]["vocab"]["123"] = 262;
  json["model"]["vocab"]["12"] = 263;
  json["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"},
         {"pattern", {{"Regex", R"(\p{N}{1,3}|[^\p{N}]+)"}}},
         {"behavior", "Isolated"},
         {"invert", false}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  auto tokenizer = Make(json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "12312x"), (Ids{262, 263, 'x'}));
  for (const bool individual : {true, false}) {
    json["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {{{"type", "Digits"}, {"individual_digits", individual}},
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}}}};
    tokenizer = Make(json);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ(Encode(**tokenizer, "a123"),
              individual ? (Ids{'a', '1', '2', '3'}) : (Ids{'a', 262}));
  }
}

Json Template(const std::string& token) {
  return {{"type", "TemplateProcessing"},
          {"single",
           {{{"SpecialToken", {{"id", token}, {"type_id", 0}}}},
            {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}}};
}

TEST(TokenizerJson, StartTokenAsConfigured) {
  const Json byte_level = {{"type", "ByteLevel"}, {"trim_offsets", false}};
  const Json sequence = {{"type", "Sequence"}, {"processors", {byte_level, Template("<|a|>")}}};
  const Json suffix_only = {{"type", "TemplateProcessing"},
                            {"single",
                             {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                              {{"SpecialToken", {{"id", "<|b|>"}, {"type_id", 0}}}}}}};
  const struct {
    const char* name;
    Json processor;
    TokenizerSettings settings;
    int32_t bos;
    bool adds;
  } cases[] = {
      {"nothing said", nullptr, {}, -1, false},
      {"named only", nullptr, {"<|a|>", "<|b|>"}, 262, false},
      {"by id", nullptr, {std::nullopt, std::nullopt, 5, 6}, 5, false},
      {"text goes before id", nullptr, {"<|a|>", std::nullopt, 5, 6}, 262, false},
      {"template", Template("<|a|>"), {"<|a|>"}, 262, true},
      {"template names it", Template("<|a|>"), {}, 262, true},
      {"in a sequence", sequence, {"<|a|>"}, 262, true},
      {"byte level only", byte_level, {"<|a|>"}, 262, false},
      {"end token only", suffix_only, {"<|a|>"}, 262, false},
      // The post-processor decides, as in transformers 5.
      {"config says so", byte_level, {"<|a|>", "<|b|>", -1, -1, true}, 262, false},
      {"config says no", Template("<|a|>"), {"<|a|>", "<|b|>", -1, -1, false}, 262, true},
      {"config names none", Template("<|a|>"), {std::nullopt, "<|b|>", 263, 6}, 262, true},
      {"config names none and says so", byte_level, {std::nullopt, {}, -1, -1, true}, -1, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Json json = TinyTokenizerJson();
    json["post_processor"] = c.processor;
    const auto tokenizer = Make(json, c.settings);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    EXPECT_EQ((*tokenizer)->bos_token(), c.bos);
    EXPECT_EQ((*tokenizer)->adds_bos(), c.adds);
    // Encode itself never adds it.
    EXPECT_EQ(Encode(**tokenizer, "hola"), Ids{258});
  }
}

TEST(TokenizerJson, RefusesWhatItCannotHonour) {
  const auto at = [](const char* pointer, Json value) {
    return [pointer, value](Json& json) { json[Json::json_pointer(pointer)] = value; };
  };
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", "a"}}}, {"behavior", "MergedWithNext"}};
  const Json after = {{"type", "Sequence"},
                      {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}};
  const struct {
    std::function<void(Json&)> change;
    const char* message;
  } cases[] = {
      {at("/normalizer", {{"type", "NFKC"}}), "normalizer: \"NFKC\""},
      {at("/model/type", "Unigram"), "\"Unigram\""},
      {at("/model", 3), "model"},
      {at("/model/dropout", 0.1), "model.dropout"},
      {at("/model/byte_fallback", true), "model.byte_fallback"},
      {at("/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix"},
      {at("/model/vocab", Json::array()), "model.vocab"},
      {at("/model/vocab", Json::object()), "model.vocab"},
      {at("/model/vocab/a", -1), "model.vocab"},
      {at("/model/vocab/a", 1.5), "model.vocab"},
      {at("/model/vocab/a", 4000000000u), "model.vocab"},
      {at("/model/vocab/a", 66000), "66001 tokens"},
      {at("/model/vocab/a", 98), "id 98 is there twice"},
      {at("/model/merges", nullptr), "model.merges"},
      {at("/model/merges/0", "ho"), "entry 0"},
      {at("/model/merges/0", " ho"), "entry 0"},
      {at("/model/merges/0", "h o la"), "entry 0"},
      {at("/model/merges/0", Json::array({"h"})), "entry 0"},
      {at("/model/merges/0", Json::array({"h", 1})), "entry 0"},
      {at("/model/merges/0", "x y"), "merge 0"},
      {at("/added_tokens", 1), "added_tokens"},
      {at("/added_tokens/0", 1), "added_tokens"},
      {at("/added_tokens/0/id", 300), "has id 300"},
      {at("/added_tokens/0/content", ""), "an added token is empty"},
      {at("/added_tokens/0/content", "<|b|>"), "is there twice"},
      {at("/pre_tokenizer", nullptr), "pre_tokenizer"},
      {at("/pre_tokenizer/type", "Metaspace"), "\"Metaspace\""},
      {at("/pre_tokenizer/add_prefix_space", true), "add_prefix_space"},
      {at("/pre_tokenizer", split), "MergedWithNext"},
      {at("/pre_tokenizer", after), "nothing may follow"},
      {at("/post_processor", Template("<|none|>")), "<|none|>"},
      {at("/post_processor", {{"type", "RobertaProcessing"}}), "RobertaProcessing"},
      {at("/post_processor/type", "TemplateProcessing"), "TemplateProcessing"},
  };
  for (const auto& c : cases) {
    Json json = TinyTokenizerJson();
    c.change(json);
    SCOPED_TRACE(c.message);
    const auto tokenizer = Make(json);
    ASSERT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("tokenizer.json"));
    EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr(c.message));
  }
}

TEST(TokenizerJson, SettingsMustFit) {
  EXPECT_THAT(std::string(Make(TinyTokenizerJson(), {"<s>"}).status().message()),
              HasSubstr("\"<s>\" is not in the vocabulary"));
  EXPECT_FALSE(Make(TinyTokenizerJson(), {std::nullopt, std::nullopt, 300}).ok());
  EXPECT_THAT(std::string(Make(TinyTokenizerJson(), {}, 200).status().message()),
              HasSubstr("do not belong together"));
}

// Added tokens are numbered by tokenizers, whatever the file says.
TEST(TokenizerJson, AddedTokensMustHaveTheirPlace) {
  const auto with = [](const std::vector<std::pair<int, const char*>>& added,
                       const std::vector<std::pair<const char*, int>>& vocabulary = {}) {
    Json json = TinyTokenizerJson();
    json["added_tokens"] = Json::array();
    for (const auto& [id, content] : added) {
      json["added_tokens"].push_back({{"id", id}, {"content", content}, {"special", true}});
    }
    for (const auto& [token, id] : vocabulary) json["model"]["vocab"][token] = id;
    return Make(json);
  };
  EXPECT_TRUE(with({{262, "<x>"}, {263, "<y>"}}).ok());
  EXPECT_TRUE(with({{258, "hola"}, {262, "<y>"}}).ok());  // in the vocabulary
  EXPECT_TRUE(with({{262, "<x>"}, {263, "<y>"}}, {{"<x>", 262}}).ok());
  const struct {
    absl::Status status;
    std::vector<const char*> parts;
  } cases[] = {
      {with({{262, "<x>"}, {270, "<y>"}}).status(), {"\"<y>\" has id 270", "give it 263"}},
      {with({{263, "<x>"}, {262, "<y>"}}).status(), {"\"<x>\" has id 263", "give it 262"}},
      {with({{262, "hola"}}).status(), {"\"hola\" has id 262", "give it 258"}},
      {with({{262, "<x>"}}, {{"zz", 290}}).status(), {"\"<x>\" has id 262", "give it 263"}},
      {with({{291, "<x>"}}, {{"zz", 263}}).status(), {"\"<x>\" gets id 263", "no gaps"}},
  };
  for (const auto& c : cases) {
    ASSERT_EQ(c.status.code(), absl::StatusCode::kInvalidArgument);
    for (const char* part : c.parts) {
      EXPECT_THAT(std::string(c.status.message()), HasSubstr(part));
    }
  }
}

// A token's text may hold a NUL character; what stands before it is another token.
TEST(TokenizerJson, TextsAreComparedBeyondNul) {
  Json json = TinyTokenizerJson();
  const std::string content = std::string("hola") + '\0' + "x";
  json["added_tokens"] = {{{"id", 258}, {"content", content}}};
  EXPECT_THAT(std::string(Make(json).status().message()), HasSubstr("give it 262"));
  json["added_tokens"][0]["id"] = 262;
  const auto tokenizer = Make(json);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, content + "hola"), (Ids{262, 258}));
  EXPECT_FALSE(Make(json, {.bos = std::string("la") + '\0'}).ok());
}

Json TemplateWithIds(const std::string& token, Json ids) {
  Json json = Template(token);
  json["special_tokens"][token] = {{"id", token}, {"ids", std::move(ids)}, {"tokens", {token}}};
  return json;
}

TEST(TokenizerJson, StartTokensThatDisagreeAreRefusedWithBothNamed) {
  Json json = TinyTokenizerJson();
  json["post_processor"] = TemplateWithIds("<|a|>", {262});
  EXPECT_TRUE(Make(json, {"<|a|>"}).ok());
  EXPECT_THAT(std::string(Make(json, {"<|b|>"}).status().message()),
              AllOf(HasSubstr("puts \"<|a|>\""), HasSubstr("bos_token is \"<|b|>\"")));
  json["post_processor"] = TemplateWithIds("<|a|>", {263});
  EXPECT_THAT(std::string(Make(json).status().message()),
              AllOf(HasSubstr("ids [263]"), HasSubstr("id is 262")));
}

std::vector<std::string> Warnings(const Json& json, const TokenizerSettings& settings) {
  const auto tokenizer = Make(json, settings);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return (*tokenizer)->warnings();
}

TEST(TokenizerJson, WarnsWhereOtherProgramsReadOtherwise) {
  const Json plain = TinyTokenizerJson();
  Json digits = plain;
  digits["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Digits"}, {"individual_digits", true}}, plain["pre_tokenizer"]}}};
  TokenizerSettings settings;
  for (const char* name : {"", "PreTrainedTokenizerFast", "LlamaTokenizer", "TokenizersBackend"}) {
    settings.tokenizer_class = name;
    EXPECT_THAT(Warnings(digits, settings), IsEmpty()) << name;
  }
  settings.tokenizer_class = "GPT2Tokenizer";
  EXPECT_THAT(Warnings(plain, settings), IsEmpty());  // its own steps are the file's
  EXPECT_THAT(Warnings(digits, settings),
              ElementsAre(AllOf(HasSubstr("GPT2Tokenizer: transformers 5 replaces"),
                                HasSubstr("here, as in transformers 4 and llama.cpp"))));
  settings.tokenizer_class = "Qwen2Tokenizer";
  EXPECT_THAT(Warnings(plain, settings), ElementsAre(HasSubstr("may replace")));
  EXPECT_THAT(Warnings(plain, {"<|a|>", "<|b|>", -1, -1, true}),
              ElementsAre(AllOf(HasSubstr("add_bos_token: true"), HasSubstr("puts no start"))));
}

TEST(TokenizerJson, TokenizerConfigMustNameTheSameTokens) {
  TokenizerSettings settings;
  settings.decoder = {{"<|a|>", 262, true, false}, {"<|b|>", 263, true, false}};
  EXPECT_THAT(Warnings(TinyTokenizerJson(), settings), IsEmpty());
  settings.decoder[1].id = 264;
  EXPECT_THAT(std::string(Make(TinyTokenizerJson(), settings).status().message()),
              AllOf(HasSubstr("\"<|b|>\" has id 263"), HasSubstr("id 264")));
  settings.decoder[1] = {"<|c|>", 264, true, false};
  EXPECT_THAT(std::string(Make(TinyTokenizerJson(), settings).status().message()),
              AllOf(HasSubstr("lacks the token \"<|c|>\""), HasSubstr("264")));
  // Flags are those of tokenizer_config.json, as in transformers.
  settings.decoder[1] = {"<|b|>", 263, false, false};
  const auto tokenizer = Make(TinyTokenizerJson(), settings);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "<|b|>"), Ids{263});
  EXPECT_THAT((*tokenizer)->warnings(),
              ElementsAre(HasSubstr("calls the token \"<|b|>\" special")));
}

// A text that tokenizer_config.json calls special is, if it is in the vocabulary.
TEST(TokenizerJson, NamedSpecialTokensAreSpecial) {
  Json json = TinyTokenizerJson();
  json["added_tokens"] = Json::array();
  TokenizerSettings settings;
  settings.special = {"hola", "<none>"};
  const auto tokenizer = Make(json, settings);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(Encode(**tokenizer, "xholax", true), (Ids{'x', 258, 'x'}));
  EXPECT_EQ((*tokenizer)->FindSpecial("xholax"), "hola");
  EXPECT_EQ((*tokenizer)->FindSpecial("xhoxx <none>"), "");
  EXPECT_THAT((*tokenizer)->warnings(), ElementsAre(HasSubstr("\"<none>\"")));
}

TEST(TokenizerJson, EveryTruncationIsRefused) {
  const std::string whole = TinyTokenizerJson().dump();
  for (size_t size = 0; size < whole.size(); size += 7) {
    EXPECT_FALSE(TokenizerPartsFromJson(whole.substr(0, size), {}, "cut").ok()) << size;
  }
}

TEST(TokenizerJson, WrittenTextIsReadBackTheSame) {
  Json json = TinyTokenizerJson();
  json["model"]["ignore_merges"] = true;
  json["post_processor"] = Template("<|a|>");
  json["added_tokens"].push_back(
      {{"id", 264}, {"content", "ñ €"}, {"special", false}, {"normalized", true}});
  const auto parts = TokenizerPartsFromJson(json.dump(), {"<|a|>", "<|b|>"}, "first");
  ASSERT_TRUE(parts.ok()) << parts.status();
  const auto again =
      TokenizerPartsFromJson(TokenizerJsonText(*parts), {"<|a|>", "<|b|>"}, "second");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->vocabulary.tokens, parts->vocabulary.tokens);
  EXPECT_EQ(again->vocabulary.merges, parts->vocabulary.merges);
  EXPECT_EQ(again->vocabulary.ignore_merges, true);
  EXPECT_EQ(again->patterns, parts->patterns);
  EXPECT_EQ(again->bos, 262);
  EXPECT_EQ(again->eos, 263);
  EXPECT_TRUE(again->adds_bos);
  ASSERT_EQ(again->added.size(), 3u);
  EXPECT_EQ(again->added[2].content, "ñ €");
  EXPECT_TRUE(again->added[2].normalized);
}

}  // namespace
}  // namespace scm::model
