// Baselines known by their predictions only.
#include "evaluator/predictions.h"

#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::evaluator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Predictions : public ::testing::Test {
 protected:
  void SetUp() override {
    for (corpus::Item* item : {&one_, &two_, &set_}) {
      item->choices = {"a", "b", "c"};
      item->gold = {1};
    }
    one_.id = "one";
    two_.id = "two";
    set_.id = "set";
    set_.gold = {0, 2};
    set_.multi_label = true;
    tasks_ = {{"single", false, {&one_, &two_}}, {"multi", true, {&set_}}};
  }
  absl::StatusOr<ImportedPredictions> Import(const std::string& text) {
    const std::string path = directory_.path() + "/p.jsonl";
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return ImportPredictions(path, tasks_);
  }

  testing::TemporaryDirectory directory_;
  corpus::Item one_, two_, set_;
  std::vector<TestTask> tasks_;
};

TEST_F(Predictions, AreComparedWithTheGold) {
  const auto imported = Import(
      "{\"id\": \"two\", \"predicted\": 0}\n\n{\"id\": \"one\", \"predicted\": 1, \"more\": 1}\r\n"
      "{\"id\": \"set\", \"predicted\": [2, 0]}\n{\"id\": \"elsewhere\", \"predicted\": 77}");
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->missing, "");
  EXPECT_THAT(imported->scores.tasks.at("single").correct, ElementsAre(true, false));
  EXPECT_THAT(imported->scores.tasks.at("multi").correct, ElementsAre(true));
  EXPECT_TRUE(imported->scores.tasks.at("single").log_likelihood.empty());
}

TEST_F(Predictions, LackingItemsLeaveTheirTaskOut) {
  const auto imported = Import(
      "{\"id\": \"one\", \"predicted\": 1}\n"
      "{\"id\": \"set\", \"predicted\": 0}\n");
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->scores.tasks.count("single"), 0u);
  EXPECT_THAT(imported->missing, HasSubstr("lacks 1 of 2 items of single (first: two)"));
  EXPECT_THAT(imported->scores.tasks.at("multi").correct, ElementsAre(false));
}

TEST_F(Predictions, WrongLinesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"{", "p.jsonl:1"},
      {"\n{\"predicted\": 1}", "p.jsonl:2: expected {\"id\""},
      {"{\"id\": \"one\", \"predicted\": 3}", "an index from 0 to 2 for item one"},
      {"{\"id\": \"one\", \"predicted\": -1}", "an index from 0 to 2"},
      {"{\"id\": \"one\", \"predicted\": \"a\"}", "an index from 0 to 2"},
      {"{\"id\": \"one\", \"predicted\": NaN}", "p.jsonl:1"},
      {"{\"id\": \"one\", \"predicted\": \"NaN\"}", "an index from 0 to 2"},
      {"{\"id\": \"one\", \"predicted\": null}", "an index from 0 to 2"},
      {"{\"id\": \"one\", \"predicted\": 1e400}", "p.jsonl:1"},
      {"{\"id\": \"set\", \"predicted\": [0, null]}", "a list of indices from 0 to 2"},
      {"{\"id\": \"one\", \"predicted\": [0, 1]}", "an index from 0 to 2"},
      {"{\"id\": \"set\", \"predicted\": [0, \"b\"]}", "a list of indices from 0 to 2"},
      {"{\"id\": \"set\", \"predicted\": []}", "a list of indices"},
      {"{\"id\": \"one\", \"predicted\": NaN}", "p.jsonl:1: line: predicted: NaN is no JSON"},
      {"{\"id\": \"one\", \"predicted\": 1}\n{\"id\": \"one\", \"predicted\": 1}",
       "p.jsonl:2: item one is answered twice"},
  };
  for (const auto& [text, message] : cases) {
    const auto imported = Import(text);
    ASSERT_FALSE(imported.ok()) << text;
    EXPECT_THAT(std::string(imported.status().message()), HasSubstr(message));
  }
}

TEST_F(Predictions, MissingFileIsNotFound) {
  EXPECT_EQ(ImportPredictions(directory_.path() + "/none", tasks_).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace scm::evaluator
