#include "corpus/predictions.h"

#include <gmock/gmock.h>

#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PredictedAnswersTest : public testing::Test {
 protected:
  PredictedAnswersTest() {
    AddItem(&corpus_, "one", "d");
    AddItem(&corpus_, "two", "d");
    Item& set = AddItem(&corpus_, "set", "d");
    set.choices = {"a", "b", "c"};
    set.multi_label = true;
    for (const Item& item : corpus_.items) items_.push_back(&item);
  }
  PredictedAnswers Read(const std::string& text) const {
    return ReadPredictions(text, "p.jsonl", items_);
  }

  Corpus corpus_;
  std::vector<const Item*> items_;
};

TEST_F(PredictedAnswersTest, EveryWrongLineIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"id": "one", "predicted": "0"})",
       "predicted: expected an index from 0 to 1 for item one, found \"0\", which is text"},
      {R"({"id": "one", "predicted": NaN})", "p.jsonl:1: "},
      {R"({"id": "one", "predicted": 0.0})", "found 0.0"},
      {R"({"id": "one", "predicted": true})", "found true"},
      {R"({"id": "one"})", "found nothing"},
      {R"({"id": "one", "predicted": 2})", "from 0 to 1 for item one, found 2"},
      {R"({"id": "one", "predicted": -1})", "found -1"},
      {R"({"id": "one", "predicted": [0, 1]})", "an index from 0 to 1"},
      {R"({"id": "set", "predicted": ["a"]})", "a list of indices from 0 to 2 for item set"},
      {R"({"id": 1, "predicted": 0})", "expected {\"id\": ITEM"},
      {"[]", "expected {\"id\": ITEM"},
      {"\xff", "p.jsonl:1: "},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(Read(text).problems, ElementsAre(HasSubstr(message))) << text;
  }
  EXPECT_THAT(
      Read("{\n\n{\"id\": \"one\", \"predicted\": 0}\n{\"id\": \"one\", \"predicted\": 0}\nx")
          .problems,
      ElementsAre(HasSubstr("p.jsonl:1: "), "p.jsonl:4: item one is answered twice",
                  HasSubstr("p.jsonl:5: ")));
}

TEST_F(PredictedAnswersTest, OtherItemsAreNobodysBusiness) {
  const PredictedAnswers read = Read(R"({"id": "elsewhere", "predicted": "x"})"
                                     "\r\n{\"id\": \"set\", \"predicted\": [2, 0]}\n");
  EXPECT_THAT(read.problems, ElementsAre());
  EXPECT_THAT(read.answers, ElementsAre(testing::Pair("set", ElementsAre(0, 2))));
  EXPECT_EQ(LackingAnswers(read, "p.jsonl", "t", {items_[2]}), "");
  EXPECT_EQ(LackingAnswers(read, "p.jsonl", "t", items_),
            "p.jsonl lacks 2 of 3 items of t (first: one)");
}

}  // namespace
}  // namespace scm::corpus
