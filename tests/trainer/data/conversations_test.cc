// Conversations from the corpus to the reports: what is trained, validated, scored and refused.
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "corpus/loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/open_model.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"
#include "trainer/data/training_data.h"

namespace scm::trainer {
namespace {

using ::testing::HasSubstr;
using testing::OfType;
using testing::RunProtocol;
using testing::TinySpec;

constexpr char kChatMl[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ "
    "'<|im_end|>' + '\\n'}}{% endfor %}";

class Conversations : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(root() + "/model");
    testing::WriteTinyCorpus(root() + "/corpus");
    // Two bytes that no text holds give their places to special tokens.
    const std::string path = root() + "/model/tokenizer.json";
    Json tokenizer = *ParseJson(*ReadFile(path), path);
    Json& vocabulary = tokenizer["model"]["vocab"];
    int id = 0;
    for (const auto& [byte, special] :
         {std::pair("\u0100", "<|im_start|>"), std::pair("\u0101", "<|im_end|>")}) {
      vocabulary.erase(byte);
      vocabulary[special] = id;
      tokenizer["added_tokens"].push_back({{"id", id++}, {"content", special}, {"special", true}});
    }
    Write("model/tokenizer.json", tokenizer.dump());
    Write("model/chat_template.jinja", kChatMl);
    std::string talks;
    for (int d = 0; d < 40; ++d) {
      const std::string answer = d % 3 == 0 ? "no" : "si";
      talks += Json{{"id", absl::StrCat("talk-", d)},
                    {"task", "talks"},
                    {"document", absl::StrCat("d-", d)},
                    {"messages",
                     {{{"role", "user"}, {"content", absl::StrCat(answer, d, "?")}},
                      {{"role", "assistant"}, {"content", answer}},
                      {{"role", "user"}, {"content", "y"}},
                      {{"role", "assistant"}, {"content", answer}}}}}
                   .dump() +
               "\n";
    }
    Write("corpus/items/talks.jsonl", talks);
  }
  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(root() + "/" + name, content).ok());
  }
  std::string root() const { return directory_.path(); }
  std::string ReportPath() { return absl::StrCat(root(), "/", ++runs_, ".jsonl"); }
  Json Spec(const Json& train_tasks, const std::string& work_dir, const char* kind = "train") {
    Json spec = TinySpec(root(), kind, work_dir);
    spec["parameters"]["trainer"] = {{"parameters", {{"train_tasks", train_tasks}}}};
    spec["parameters"]["data"]["max_length"] = 128;
    spec["parameters"]["data"]["end_token"] = true;
    return spec;
  }
  TrainingData Data(const Json& json) {
    const auto spec = ParseJobSpec(json.dump(), "spec");
    EXPECT_TRUE(spec.ok()) << spec.status();
    const auto source = model::OpenModel(spec->model);
    const auto tokenizer = (*source)->MakeTokenizer();
    const auto corpus = corpus::LoadCorpusOrError(spec->data.corpus);
    auto data =
        MakeTrainingData(*spec, *corpus, *SplitOf(*corpus, spec->data), **source, **tokenizer);
    EXPECT_TRUE(data.ok()) << data.status();
    return *std::move(data);
  }

  testing::TemporaryDirectory directory_;
  int runs_ = 0;
};

TEST_F(Conversations, AreTrainedAndValidatedOnWhatTheAssistantSays) {
  const TrainingData data = Data(Spec({"talks"}, "w"));
  ASSERT_FALSE(data.train.empty());
  for (const TokenExample& example : data.train) EXPECT_EQ(example.labels(), 6);  // 2 × "si", end
  ASSERT_FALSE(data.validation.items.empty());
  for (const ValidationItem& item : data.validation.items) {
    EXPECT_FALSE(item.single_label);
    ASSERT_EQ(item.choices.size(), 1u);
    EXPECT_EQ(item.gold, std::vector<int64_t>{0});
    EXPECT_EQ(item.choices[0].labels(), 6);  // the same as in training, so that losses compare
  }
  Json all = Spec({"talks"}, "w");
  all["parameters"]["training"]["loss_on"] = "all";
  const TrainingData everything = Data(all);
  EXPECT_GT(everything.train.size(), data.train.size());  // the documents as well
  EXPECT_EQ(everything.train[0].labels(),
            static_cast<int64_t>(everything.train[0].tokens.size()) - 1);
  Json endless = Spec({"talks"}, "w");
  endless["parameters"]["data"]["end_token"] = false;
  EXPECT_EQ(Data(endless).train[0].labels(), 4);
}

// Beside conversations, what questions are trained and validated on stays what it was.
TEST_F(Conversations, QuestionsAreUnaffected) {
  const TrainingData both = Data(Spec(Json::array(), "w"));
  ASSERT_TRUE(RemoveRecursively(root() + "/corpus/items/talks.jsonl").ok());
  const TrainingData questions = Data(Spec(Json::array(), "w"));
  EXPECT_EQ(both.validation.chance, questions.validation.chance);
  EXPECT_EQ(both.validation.deff, questions.validation.deff);
  ASSERT_GT(both.train.size(), questions.train.size());
  const auto tokens = [](const TrainingData& data) {
    std::vector<std::vector<int32_t>> list;
    for (const TokenExample& example : data.train) {
      if (example.predicted.empty()) list.push_back(example.tokens);
    }
    return list;
  };
  EXPECT_EQ(tokens(both), tokens(questions));
}

TEST_F(Conversations, ARunOfThemAloneHasALossAndNoAccuracy) {
  const auto reports = RunProtocol("scm-trainer", Spec({"talks"}, "alone"), ReportPath());
  ASSERT_EQ(reports.back()["type"], "done") << reports.back().dump();
  const auto validations = OfType(reports, "validation");
  ASSERT_FALSE(validations.empty());
  for (const Json& validation : validations) {
    EXPECT_FALSE(validation["metrics"].contains("validation_accuracy"));
  }
  EXPECT_LT(validations.back()["metrics"]["validation_loss"].get<double>(),
            validations.front()["metrics"]["validation_loss"].get<double>());
}

TEST_F(Conversations, ARunThatWasInterruptedGoesOnWithTheSameLabelsOnly) {
  Json first = Spec({"talks"}, "first");
  first["stop_at_step"] = 4;
  ASSERT_EQ(RunProtocol("scm-trainer", first, ReportPath()).back()["type"], "done");
  Json second = Spec({"talks"}, "second");
  second["resume_from"] = {{"step", 4}, {"dir", root() + "/first/checkpoints/step-4"}};
  EXPECT_EQ(RunProtocol("scm-trainer", second, ReportPath()).back()["type"], "done");
  second["parameters"]["data"]["end_token"] = false;
  const auto reports = RunProtocol("scm-trainer", second, ReportPath(), 1);
  EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr("another seed, batch size or corpus"));
}

TEST_F(Conversations, AModelWithoutAKnownTemplateIsRefused) {
  const auto refused = [&](const char* message) {
    const auto reports = RunProtocol("scm-trainer", Spec({"talks"}, "no"), ReportPath(), 1);
    EXPECT_EQ(reports.back()["kind"], "bad_input");
    EXPECT_THAT(
        StringAt(reports.back(), "message"),
        ::testing::AllOf(HasSubstr("items/talks.jsonl:1: item talk-0"), HasSubstr(message)));
  };
  Write("model/chat_template.jinja", "{{ messages }}");
  refused("is not known");
  ASSERT_TRUE(RemoveRecursively(root() + "/model/chat_template.jinja").ok());
  refused("holds no chat template");
}

TEST_F(Conversations, HaveNoChoicesToBeScoredBy) {
  Json spec = Spec(Json::array(), "eval", "evaluate");
  spec["run"] = nullptr;
  EXPECT_EQ(RunProtocol("scm-evaluator", spec, ReportPath()).back()["type"], "done");
  spec["parameters"]["evaluation"]["tasks"] = {"letters", "talks"};
  const auto reports = RunProtocol("scm-evaluator", spec, ReportPath(), 1);
  EXPECT_EQ(reports.back()["kind"], "bad_input");
  EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr("\"talks\" are conversations"));
}

}  // namespace
}  // namespace scm::trainer
