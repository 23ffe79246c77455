// What was submitted is what is scored, baselines and predictions included.
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "corpus/input_check.h"
#include "corpus/loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::evaluator {
namespace {

using ::testing::HasSubstr;
using testing::RunProtocol;
using testing::TinySpec;

class EvaluatedInputs : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(root() + "/model", 1);
    testing::WriteTinyModel(root() + "/other", 2);
    testing::WriteTinyCorpus(root() + "/corpus");
    const corpus::CorpusLoad load = corpus::LoadCorpus(root() + "/corpus");
    ASSERT_TRUE(load.ok());
    std::string answers;
    for (const corpus::Item& item : load.corpus.items) {
      answers += DumpJson(Json{{"id", item.id}, {"predicted", 0}}) + "\n";
    }
    ASSERT_TRUE(WriteFileAtomically(root() + "/gpt.jsonl", answers).ok());
    spec_ = TinySpec(root(), "evaluate", "w");
    spec_["run"] = nullptr;
    Json& parameters = spec_["parameters"];
    parameters["evaluation"]["baselines"] = {
        {{"name", "other"}, {"model", root() + "/other"}},
        {{"name", "gpt"}, {"predictions", root() + "/gpt.jsonl"}}};
    FileDigests digests;
    std::vector<corpus::InputRecord> records;
    for (const auto& [name, kind] : {std::pair("/corpus", corpus::InputKind::kCorpus),
                                     std::pair("/model", corpus::InputKind::kModel),
                                     std::pair("/other", corpus::InputKind::kModel),
                                     std::pair("/gpt.jsonl", corpus::InputKind::kFile)}) {
      const auto record = corpus::RecordInput(name + 1, root() + name, kind, digests);
      ASSERT_TRUE(record.ok()) << record.status();
      records.push_back(*record);
    }
    parameters["digests"] = {{"inputs", corpus::InputRecordsToJson(records)}};
  }
  std::string root() const { return directory_.path(); }
  std::string ReportPath() { return absl::StrCat(root(), "/", ++runs_, ".jsonl"); }
  void ExpectRefused(const std::string& message) {
    const auto reports = RunProtocol("scm-evaluator", spec_, ReportPath(), 1);
    EXPECT_EQ(reports.back()["kind"], "bad_input");
    EXPECT_THAT(StringAt(reports.back(), "message"), HasSubstr(message));
  }

  testing::TemporaryDirectory directory_;
  Json spec_;
  int runs_ = 0;
};

TEST_F(EvaluatedInputs, TheFileSaysWhatWasCompared) {
  ASSERT_EQ(RunProtocol("scm-evaluator", spec_, ReportPath()).back()["type"], "done");
  const auto json = ParseJson(*ReadFile(root() + "/w/evaluation.json"), "evaluation");
  ASSERT_TRUE(json.ok()) << json.status();
  Json expected = Json::array();
  for (const Json& input : spec_["parameters"]["digests"]["inputs"]) {
    expected.push_back(
        {{"key", input["key"]}, {"path", input["path"]}, {"sha256", input["sha256"]}});
  }
  EXPECT_EQ((*json)["inputs"], expected);
}

TEST_F(EvaluatedInputs, AnotherCorpusIsNotScored) {
  const std::string name = "/corpus/items/" + ListDirectory(root() + "/corpus/items")->front();
  const std::string before = *ReadFile(root() + name);
  ASSERT_TRUE(WriteFileAtomically(root() + name, before + "\n").ok());
  ExpectRefused(root() + name + " is not what it was");
  ASSERT_TRUE(WriteFileAtomically(root() + name, before).ok());
  EXPECT_EQ(RunProtocol("scm-evaluator", spec_, ReportPath()).back()["type"], "done");
}

TEST_F(EvaluatedInputs, AnotherBaseOrBaselineIsNotScored) {
  testing::WriteTinyModel(root() + "/other", 3);
  ExpectRefused(root() + "/other/model.safetensors is not what it was");
  testing::WriteTinyModel(root() + "/model", 3);
  ExpectRefused(root() + "/model/model.safetensors is not what it was");
}

TEST_F(EvaluatedInputs, OtherPredictionsAreNotScored) {
  ASSERT_TRUE(
      WriteFileAtomically(root() + "/gpt.jsonl", *ReadFile(root() + "/gpt.jsonl") + "\n").ok());
  ExpectRefused(root() + "/gpt.jsonl is not what it was");
  ASSERT_TRUE(RemoveRecursively(root() + "/gpt.jsonl").ok());
  ExpectRefused(root() + "/gpt.jsonl is no longer there");
}

}  // namespace
}  // namespace scm::evaluator
