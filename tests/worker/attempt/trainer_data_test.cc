// What a trainer of one's own is told about its data.
#include "worker/attempt/trainer_data.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "corpus/input_check.h"
#include "corpus/loader.h"
#include "corpus/split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/support.h"

namespace scm::worker {
namespace {

using ::testing::HasSubstr;

class TrainerDataTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"corpus/documents", "corpus/items", "attempt"}) {
      ASSERT_TRUE(MakeDirectories(work_ / folder).ok());
    }
    std::string documents, items;
    for (int i = 0; i < 10; ++i) {
      absl::StrAppend(&documents, "{\"id\": \"d", i, "\", \"text\": \"x\"}\n");
      absl::StrAppend(&items, "{\"id\": \"i", i, "\", \"task\": \"t\", \"document\": \"d", i,
                      "\", \"prompt\": \"?\", \"choices\": [\"a\", \"b\"], \"gold\": 0",
                      i == 3 ? ", \"split\": \"test\"" : "", "}\n");
    }
    WriteText(work_ / "corpus/documents/a.jsonl", documents);
    WriteText(work_ / "corpus/items/a.jsonl", items);
    spec_ = {{"task", {{"id", "k-1"}, {"kind", "train"}}},
             {"parameters",
              {{"trainer", {{"command", {"/x/train.py"}}}},
               {"data",
                {{"corpus", work_ / "corpus"},
                 {"split", {{"train", 0.5}, {"validation", 0.3}, {"test", 0.2}, {"seed", 9}}},
                 {"mine", true}}}}}};
  }
  absl::Status HandOver() { return HandOverData(work_ / "attempt", work_ / "digests", spec_); }

  fake::TempDir work_;
  Json spec_;
};

TEST_F(TrainerDataTest, TheSplitIsThatOfTheEvaluator) {
  ASSERT_TRUE(HandOver().ok());
  const auto told = ParseJson(ReadText(StringAt(spec_, "split_file")), "split");
  ASSERT_TRUE(told.ok()) << told.status();
  const corpus::Corpus corpus = corpus::LoadCorpus(work_ / "corpus").corpus;
  EXPECT_EQ(StringAt(*told, "sha256"), corpus.digest);
  const auto split = corpus::AssignSplits(corpus, {0.5, 0.3, 0.2, 9});
  ASSERT_TRUE(split.ok());
  size_t told_items = 0;
  for (const corpus::Split part : corpus::kAllSplits) {
    std::vector<std::string> items, documents;
    for (const size_t i : corpus::ItemsOf(corpus, *split, part))
      items.push_back(corpus.items[i].id);
    for (size_t i = 0; i < corpus.documents.size(); ++i) {
      if (split->documents[i] == part) documents.push_back(corpus.documents[i].id);
    }
    EXPECT_EQ((*told)["items"][corpus::SplitName(part)], Json(items));
    EXPECT_EQ((*told)["documents"][corpus::SplitName(part)], Json(documents));
    told_items += items.size();
  }
  EXPECT_EQ(told_items, 10u);
  EXPECT_THAT((*told)["items"]["test"].get<std::vector<std::string>>(), testing::Contains("i3"));
}

TEST_F(TrainerDataTest, OtherwiseThereIsNone) {
  const Json whole = spec_;
  const auto expect_none = [&](const char* what) {
    ASSERT_TRUE(HandOver().ok()) << what;
    EXPECT_TRUE(spec_.contains("split_file")) << what;
    EXPECT_TRUE(spec_["split_file"].is_null()) << what;
    spec_ = whole;
  };
  spec_["parameters"]["trainer"]["command"] = {"scm-trainer"};
  expect_none("the built-in trainer");
  spec_["task"]["kind"] = "evaluate";
  expect_none("a built-in program");
  spec_["parameters"]["data"] = "a table of mine";
  expect_none("data of another form");
  spec_["parameters"]["data"]["corpus"] = "some/dataset";
  expect_none("a corpus of another form");
  spec_["parameters"]["data"]["split"]["train"] = 7;
  expect_none("no shares");
  WriteText(work_ / "corpus/items/a.jsonl", "{}");
  expect_none("a corpus that cannot be loaded");
  spec_ = Json::object();
  ASSERT_TRUE(HandOver().ok());
}

TEST_F(TrainerDataTest, AnEditedCorpusIsNotHandedOver) {
  FileDigests digests;
  const auto record =
      corpus::RecordInput("data.corpus", work_ / "corpus", corpus::InputKind::kCorpus, digests);
  ASSERT_TRUE(record.ok()) << record.status();
  spec_["parameters"]["digests"] = {{"inputs", corpus::InputRecordsToJson({*record})}};
  ASSERT_TRUE(HandOver().ok());
  WriteText(work_ / "corpus/items/a.jsonl", ReadText(work_ / "corpus/items/a.jsonl") + "\n");
  const absl::Status status = HandOver();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("items/a.jsonl is not what it was"));
  // The value of a sweep is another corpus, of which nothing is known.
  spec_["parameters"]["data"]["corpus"] = "/elsewhere";
  EXPECT_TRUE(HandOver().ok());
}

}  // namespace
}  // namespace scm::worker
