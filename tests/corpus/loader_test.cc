#include "corpus/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus/corpus_digest.h"
#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char kDocuments[] = "documents/a.jsonl";
const char kItems[] = "items/a.jsonl";

std::vector<std::string> Formatted(const std::vector<CorpusProblem>& problems) {
  std::vector<std::string> lines;
  for (const CorpusProblem& problem : problems) lines.push_back(FormatCorpusProblem(problem));
  return lines;
}

TEST(LoaderTest, ReadsDocumentsItemsAndInfo) {
  const CorpusOnDisk disk({
      {kDocuments,
       absl::StrCat("\n", DocumentJson("d1").dump(), "\r\n\n", DocumentJson("d:2._-").dump())},
      {kItems,
       With(ItemJson("i1", "d1"), "split", "test") + With(ItemJson("i2", "d1"), "task", "u")},
      {"items/b.jsonl",
       [] {
         Json item = ItemJson("i3", "d:2._-");
         item["task"] = "concepts";
         item["choices"] = {"a", "b", "c"};
         item["gold"] = {2, 0};
         item.erase("cluster_id");
         item.erase("jurisdiction");
         item.erase("as_of");
         return item.dump();
       }()},
      {"corpus.json", R"({"name": "n", "demonstration": true, "note": "x", "as_of": "2026-01-31",
                          "accept": ["cluster_leakage"]})"},
  });
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_THAT(Formatted(load.errors), ElementsAre());
  EXPECT_THAT(Formatted(load.warnings), ElementsAre());
  const Corpus& corpus = load.corpus;
  ASSERT_EQ(corpus.documents.size(), 2u);
  EXPECT_EQ(corpus.documents[0].line, 2);
  EXPECT_EQ(corpus.documents[1].id, "d:2._-");
  EXPECT_EQ(corpus.FindDocument("d1"), &corpus.documents[0]);
  EXPECT_EQ(corpus.FindDocument("nothing"), nullptr);
  ASSERT_EQ(corpus.items.size(), 3u);
  EXPECT_EQ(corpus.items[0].split, Split::kTest);
  EXPECT_FALSE(corpus.items[1].split.has_value());
  const Item& concepts = corpus.items[2];
  EXPECT_TRUE(concepts.multi_label);
  EXPECT_THAT(concepts.gold, ElementsAre(0, 2));
  EXPECT_EQ(concepts.cluster_id, "d:2._-");
  EXPECT_EQ(concepts.jurisdiction, "ES");
  EXPECT_EQ(concepts.as_of, "2026-01-31");
  EXPECT_THAT(corpus.TaskNames(), ElementsAre("t", "u", "concepts"));
  EXPECT_TRUE(corpus.info.demonstration);
  EXPECT_EQ(corpus.info.name, "n");
  EXPECT_EQ(corpus.info.accept.count("cluster_leakage"), 1u);
  EXPECT_EQ(corpus.digest.size(), 64u);
}

struct BadLine {
  const char* name;
  std::string documents;  // a second line of documents/a.jsonl
  std::string items;      // a second line of items/a.jsonl
  std::string error;      // the only one, in full or in part
};

class BadLineTest : public ::testing::TestWithParam<BadLine> {};

TEST_P(BadLineTest, GivesOneErrorWithItsPlace) {
  const BadLine& bad = GetParam();
  const CorpusOnDisk disk({{kDocuments, DocumentJson("d").dump() + "\n" + bad.documents},
                           {kItems, ItemJson("i", "d").dump() + "\n" + bad.items}});
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_FALSE(load.ok());
  EXPECT_THAT(Formatted(load.errors), ElementsAre(HasSubstr(bad.error)));
}

std::string BadDocument(const std::string& key, const Json& value) {
  return With(DocumentJson("d2"), key, value);
}
std::string BadItem(const std::string& key, const Json& value) {
  return With(ItemJson("i2", "d"), key, value);
}

INSTANTIATE_TEST_SUITE_P(
    Lines, BadLineTest,
    ::testing::ValuesIn(std::vector<BadLine>{
        {"NoJson", "{\"id\": ", "", "documents/a.jsonl:2: line: not valid JSON"},
        {"NoObject", "[1]", "", "documents/a.jsonl:2: expected one JSON object a line"},
        {"NoUtf8", "{\"id\": \"d2\", \"text\": \"\xE9\"}", "",
         "documents/a.jsonl:2: not UTF-8 at byte 23"},
        // As json.dumps writes an empty cell of a table.
        {"NanDocument", R"({"id": "d2", "text": NaN})", "",
         "documents/a.jsonl:2: line: text: NaN is no JSON; a value is missing there"},
        {"NanPrompt", "", R"({"id": "i2", "prompt": NaN})",
         "items/a.jsonl:2: line: prompt: NaN is no JSON"},
        {"NanChoice", "", R"({"id": "i2", "choices": ["a", "b", NaN]})",
         "items/a.jsonl:2: line: choices[2]: NaN is no JSON"},
        {"NanCluster", "", R"({"id": "i2", "cluster_id": NaN, "prompt": "x"})",
         "items/a.jsonl:2: line: cluster_id: NaN is no JSON"},
        {"NulBetween", "",
         ItemJson("i2", "d").dump() + std::string(64, '\0') + ItemJson("i3", "d").dump(),
         "items/a.jsonl:2: line: not valid JSON: a NUL byte"},
        {"NulAtTheEnd", "", ItemJson("i2", "d").dump() + std::string(1, '\0') + " no JSON",
         "items/a.jsonl:2: line: not valid JSON: a NUL byte"},
        {"LoneSurrogate", R"({"id": "d2", "text": "\ud83d"})", "",
         "documents/a.jsonl:2: line: not valid JSON"},
        {"DoubledKey", R"({"id": "d2", "id": "d3", "text": "x"})", "", "doubled"},
        {"IdMissing", BadDocument("id", nullptr), "", "documents/a.jsonl:2: id: missing"},
        {"IdWithSpace", BadDocument("id", "a b"), "", "id: \"a b\" has a character"},
        {"IdWithSlash", BadDocument("id", "../x"), "", "id: \"../x\" has a character"},
        {"IdNumber", BadDocument("id", 4), "", "id: is not a string"},
        {"TextEmpty", BadDocument("text", "  "), "", "text: is empty"},
        {"TextMissing", BadDocument("text", nullptr), "", "text: missing"},
        {"DayWrong", BadDocument("as_of", "2026-02-30"), "", "as_of: \"2026-02-30\" is no day"},
        {"DayOrder", BadDocument("as_of", "31-01-2026"), "", "expected YYYY-MM-DD"},
        {"LanguageList", BadDocument("language", Json::array({"es"})), "",
         "language: is not a string"},
        {"DocumentDoubled", DocumentJson("d").dump(), "",
         "documents/a.jsonl:2: id: \"d\" is doubled; it stands at documents/a.jsonl:1"},
        {"ItemDoubled", "", ItemJson("i", "d").dump(),
         "items/a.jsonl:2: id: \"i\" is doubled; it stands at items/a.jsonl:1"},
        {"UnknownDocument", "", BadItem("document", "e"),
         "items/a.jsonl:2: document: there is no document \"e\""},
        {"PromptEmpty", "", BadItem("prompt", ""), "prompt: is empty"},
        {"TaskWithSpace", "", BadItem("task", "a b"), "task: \"a b\" has a character"},
        {"ChoicesMissing", "", BadItem("choices", nullptr), "choices: missing"},
        {"ChoicesText", "", BadItem("choices", "ab"), "choices: is no list"},
        {"OneChoice", "", BadItem("choices", Json::array({"sí"})),
         "choices: has 1; expected at least 2"},
        {"ChoiceEmpty", "", BadItem("choices", {"sí", ""}), "choices: entry 2 is no text"},
        {"ChoiceNumber", "", BadItem("choices", {"sí", 2}), "choices: entry 2 is no text"},
        {"ChoiceTwice", "", BadItem("choices", {"sí", "sí"}), "choices: entry 2 repeats \"sí\""},
        {"GoldMissing", "", BadItem("gold", nullptr),
         "gold: missing; expected an index from 0 to 1"},
        {"GoldTooLarge", "", BadItem("gold", 2), "gold: 2 is no index into 2 choices"},
        {"GoldNegative", "", BadItem("gold", -1), "gold: -1 is no index"},
        {"GoldHuge", "", BadItem("gold", UINT64_MAX), "is no index"},
        {"GoldText", "", BadItem("gold", "0"), "is no index"},
        {"GoldFraction", "", BadItem("gold", 0.5), "is no index"},
        {"GoldTrue", "", BadItem("gold", true), "is no index"},
        {"GoldEmptyList", "", BadItem("gold", Json::array()), "gold: is empty"},
        {"GoldTwice", "", BadItem("gold", {1, 1}), "gold: names an index twice"},
        {"GoldMixedKinds", "", BadItem("gold", Json::array({1})),
         "items/a.jsonl:2: gold: is a list here and one index at items/a.jsonl:1"},
        {"SplitUnknown", "", BadItem("split", "dev"), "split: \"dev\" is no split"},
    }),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LoaderTest, CollectsEveryErrorInFileOrder) {
  const CorpusOnDisk disk(
      {{kItems, With(ItemJson("i1", "nowhere"), "id", "i1") + With(ItemJson("i2", "d"), "gold", 9)},
       {kDocuments, With(DocumentJson("d"), "text", nullptr)}});
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_THAT(Formatted(load.errors), ElementsAre(HasSubstr("documents/a.jsonl:1: text"),
                                                  HasSubstr("items/a.jsonl:1: document"),
                                                  HasSubstr("items/a.jsonl:2: gold")));
}

TEST(LoaderTest, WarnsOfWhatItIgnores) {
  const CorpusOnDisk disk({{kDocuments, With(DocumentJson("d"), "jurisdicton", "ES")},
                           {kItems, With(ItemJson("i", "d"), "jurisdiction", "CL")},
                           {"items/b.json", "{}"},
                           {"items/.hidden.jsonl", "nonsense"}});
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_TRUE(load.ok()) << ::testing::PrintToString(Formatted(load.errors));
  EXPECT_THAT(
      Formatted(load.warnings),
      ElementsAre(HasSubstr("jurisdicton: unknown key, ignored. Did you mean jurisdiction?"),
                  HasSubstr("items/a.jsonl:1: jurisdiction: \"CL\" differs"),
                  HasSubstr("items/b.json: ignored")));
}

TEST(LoaderTest, MissingFoldersAndEmptyCorpora) {
  EXPECT_THAT(Formatted(LoadCorpus("/nonexistent/corpus").errors),
              ElementsAre(HasSubstr("/nonexistent/corpus: no such directory")));
  const CorpusOnDisk disk({{kDocuments, "\n\n"}});
  EXPECT_THAT(Formatted(LoadCorpus(disk.path()).errors),
              ElementsAre(HasSubstr("documents/: holds no document")));
  ASSERT_TRUE(RemoveRecursively(disk.path() + "/items").ok());
  EXPECT_THAT(Formatted(LoadCorpus(disk.path()).errors),
              ElementsAre(HasSubstr("items/: no such directory")));
}

TEST(LoaderTest, RefusesAByteOrderMarkAndABadInfoFile) {
  const CorpusOnDisk disk({{kDocuments, "\xEF\xBB\xBF" + DocumentJson("d").dump()},
                           {"corpus.json", R"({"demonstration": "yes"})"}});
  EXPECT_THAT(Formatted(LoadCorpus(disk.path()).errors),
              ElementsAre(HasSubstr("corpus.json: demonstration: expected true or false"),
                          HasSubstr("documents/a.jsonl: starts with a byte order mark")));
}

TEST(LoaderTest, ListsAtMostAThousandProblemsAndCountsTheRest) {
  std::string lines;
  for (int i = 0; i < 1500; ++i) lines += "[]\n";
  const CorpusOnDisk disk({{kDocuments, lines}});
  const CorpusLoad load = LoadCorpus(disk.path());
  EXPECT_EQ(load.errors.size(), 1000u);
  EXPECT_EQ(load.errors_left_out, 500);
  const absl::Status status = LoadCorpusOrError(disk.path()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("and 1480 more"));
}

TEST(DigestTest, DependsOnNamesAndContentsOnly) {
  const std::string line = DocumentJson("d").dump() + "\n";
  const CorpusOnDisk one({{kDocuments, line}}),
      same({{kDocuments, line}, {"items/notes.txt", "x"}});
  const CorpusOnDisk renamed({{"documents/b.jsonl", line}}), longer({{kDocuments, line + "\n"}});
  const CorpusOnDisk informed({{kDocuments, line}, {"corpus.json", "{}"}});
  // Moves a byte over the border between two files.
  const CorpusOnDisk border_a({{kDocuments, "\n\n"}, {"documents/b.jsonl", "\n"}});
  const CorpusOnDisk border_b({{kDocuments, "\n"}, {"documents/b.jsonl", "\n\n"}});
  const auto digest = [](const CorpusOnDisk& disk) { return CorpusDigest(disk.path()).value(); };
  EXPECT_EQ(digest(one), digest(same));
  EXPECT_NE(digest(one), digest(renamed));
  EXPECT_NE(digest(one), digest(longer));
  EXPECT_NE(digest(one), digest(informed));
  EXPECT_NE(digest(border_a), digest(border_b));
  EXPECT_EQ(CorpusDigest("/nonexistent").status().code(), absl::StatusCode::kNotFound);
}

Json ConversationJson(const std::string& id, const std::string& document) {
  Json json = ItemJson(id, document);
  for (const char* key : {"prompt", "choices", "gold"}) json.erase(key);
  json["task"] = "talks";
  json["messages"] = {{{"role", "system"}, {"content", "Sé breve."}},
                      {{"role", "user"}, {"content", "¿Qué?"}},
                      {{"role", "assistant"}, {"content", " Nada.\n"}}};
  return json;
}

TEST(LoadCorpus, Conversations) {
  const CorpusOnDisk corpus({{"documents/d.jsonl", DocumentJson("d").dump()},
                             {"items/i.jsonl", absl::StrCat(ItemJson("a", "d").dump(), "\n",
                                                            ConversationJson("b", "d").dump())}});
  const CorpusLoad load = LoadCorpus(corpus.path());
  ASSERT_TRUE(load.ok()) << FormatCorpusProblem(load.errors[0]);
  EXPECT_TRUE(load.warnings.empty());
  const Item& question = load.corpus.items[0];
  const Item& talk = load.corpus.items[1];
  EXPECT_FALSE(question.is_conversation());
  EXPECT_TRUE(talk.is_conversation());
  EXPECT_EQ(talk.messages,
            (std::vector<Message>{
                {"system", "Sé breve."}, {"user", "¿Qué?"}, {"assistant", " Nada.\n"}}));
  EXPECT_EQ(TextOf(talk), "¿Qué?\n Nada.\n\n");
  EXPECT_EQ(TextOf(question), question.prompt);
  EXPECT_THAT(load.corpus.TaskNames(), ElementsAre("t", "talks"));
  EXPECT_THAT(load.corpus.ChoiceTaskNames(), ElementsAre("t"));
}

TEST(LoadCorpus, ConversationsThatAreNone) {
  const auto turn = [](const char* role, const Json& content) {
    return Json{{"role", role}, {"content", content}};
  };
  const Json user = turn("user", "q"), answer = turn("assistant", "a");
  Json named = answer, empty = answer;
  named["tool_calls"] = Json::array();
  empty["name"] = nullptr;  // as if it were not there
  const struct {
    Json messages;
    const char* message;
  } cases[] = {
      {Json::array(), "expected a list"},
      {"x", "expected a list"},
      {Json::array({"x"}), "entry 1 is no object"},
      {Json::array({user}), "ends with a turn of the user"},
      {Json::array({answer, turn("tool", "x"), answer}), "entry 2 has the role \"tool\""},
      {Json::array({turn("Assistant", "x")}), "role \"Assistant\""},
      {Json::array({Json{{"content", "x"}}}), "role \"\""},
      {Json::array({user, turn("system", "x"), answer}), "entry 2 is of the system"},
      {Json::array({user, turn("assistant", " \n")}), "entry 2 says nothing"},
      {Json::array({user, turn("assistant", nullptr)}), "entry 2 has no content"},
      {Json::array({user, turn("assistant", Json::array({"x"}))}), "entry 2 has no content"},
      {Json::array({user, named}), "entry 2 has \"tool_calls\""},
      {Json::array({user, empty}), nullptr},
  };
  for (const auto& c : cases) {
    Json item = ConversationJson("a", "d");
    item["messages"] = c.messages;
    const CorpusOnDisk corpus(
        {{"documents/d.jsonl", DocumentJson("d").dump()}, {"items/i.jsonl", item.dump()}});
    const CorpusLoad load = LoadCorpus(corpus.path());
    SCOPED_TRACE(c.messages.dump());
    if (c.message == nullptr) {
      EXPECT_TRUE(load.ok());
      continue;
    }
    ASSERT_EQ(load.errors.size(), 1u);
    EXPECT_EQ(load.errors[0].field, "messages");
    EXPECT_THAT(load.errors[0].message, HasSubstr(c.message));
  }
}

TEST(LoadCorpus, AnItemIsAQuestionOrAConversation) {
  Json both = ItemJson("a", "d");
  both["messages"] = ConversationJson("a", "d")["messages"];
  Json mixed = ConversationJson("b", "d");
  mixed["task"] = "t";
  const CorpusOnDisk corpus(
      {{"documents/d.jsonl", DocumentJson("d").dump()},
       {"items/i.jsonl",
        absl::StrCat(both.dump(), "\n", ItemJson("c", "d").dump(), "\n", mixed.dump())}});
  const CorpusLoad load = LoadCorpus(corpus.path());
  ASSERT_EQ(load.errors.size(), 4u);
  EXPECT_EQ(load.errors[0].field, "prompt");
  EXPECT_THAT(load.errors[0].message, HasSubstr("stands beside messages"));
  EXPECT_EQ(load.errors[3].line, 3);
  EXPECT_THAT(load.errors[3].message, HasSubstr("in all of task t"));
}

}  // namespace
}  // namespace scm::corpus
