// What was submitted is what is read: by training, the check and export, as processes.
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "corpus/input_check.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"

namespace scm::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::RunProtocol;
using testing::TinySpec;

class RecordedInputs : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(root() + "/model");
    testing::WriteTinyCorpus(root() + "/corpus");
  }
  std::string root() const { return directory_.path(); }

  // A spec as a coordinator sends it: with the records of the inputs as they are now.
  Json Spec(const std::string& kind, const std::string& work_dir) {
    FileDigests digests;
    std::vector<corpus::InputRecord> records;
    for (const auto& [key, name, of] :
         {std::tuple("data.corpus", "/corpus", corpus::InputKind::kCorpus),
          std::tuple("model.base", "/model", corpus::InputKind::kModel)}) {
      const auto record = corpus::RecordInput(key, root() + name, of, digests);
      EXPECT_TRUE(record.ok()) << record.status();
      records.push_back(*record);
    }
    Json spec = TinySpec(root(), kind, work_dir);
    spec["parameters"]["digests"] = {{"inputs", corpus::InputRecordsToJson(records)}};
    return spec;
  }
  std::string ReportPath() { return absl::StrCat(root(), "/", ++runs_, ".jsonl"); }
  void ExpectRefused(const Json& spec, const std::string& file) {
    const auto reports = RunProtocol("scm-trainer", spec, ReportPath(), 1);
    ASSERT_EQ(reports.back()["type"], "failed");
    EXPECT_EQ(reports.back()["kind"], "bad_input");
    EXPECT_THAT(StringAt(reports.back(), "message"),
                AllOf(HasSubstr(root() + file +
                                " is not what it was when the experiment was "
                                "submitted: SHA-256 "),
                      HasSubstr("Restore it, or submit the experiment again")));
  }
  void Append(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(root() + name, *ReadFile(root() + name) + text).ok());
  }
  std::string FirstItems() const {
    return "/corpus/items/" + ListDirectory(root() + "/corpus/items")->front();
  }

  testing::TemporaryDirectory directory_;
  int runs_ = 0;
};

TEST_F(RecordedInputs, AreTrainedOnWhileTheyAreTheSame) {
  const Json spec = Spec("train", "same");
  EXPECT_EQ(RunProtocol("scm-trainer", spec, ReportPath()).back()["type"], "done");
  // Written anew with the same bytes: other times, the same content.
  Append(FirstItems(), "");
  EXPECT_EQ(RunProtocol("scm-trainer", spec, ReportPath()).back()["type"], "done");
}

TEST_F(RecordedInputs, AnotherCorpusIsNotTrainedOn) {
  const Json train = Spec("train", "w1"), check = Spec("check", "w2");
  Append(FirstItems(), "\n");  // not an item more or less, and still another corpus
  ExpectRefused(train, FirstItems());
  ExpectRefused(check, FirstItems());
}

TEST_F(RecordedInputs, AnotherModelIsNeitherTrainedNorExported) {
  const Json train = Spec("train", "w1"), exported = Spec("export", "w2");
  testing::WriteTinyModel(root() + "/model", 7);  // other weights of the same size
  ExpectRefused(train, "/model/model.safetensors");
  Json spec = exported;
  spec["inputs"].push_back({{"kind", "checkpoint"}, {"dir", root() + "/nowhere"}});
  ExpectRefused(spec, "/model/model.safetensors");
}

TEST_F(RecordedInputs, TheDigestsOfEarlierVersionsCountToo) {
  Json spec = Spec("train", "w1");
  const std::string digest = StringAt(spec["parameters"]["digests"]["inputs"][0], "sha256");
  spec["parameters"]["digests"] = {{"corpus", digest}};
  EXPECT_EQ(RunProtocol("scm-trainer", spec, ReportPath()).back()["type"], "done");
  Append(FirstItems(), "\n");
  ExpectRefused(spec, "/corpus");
}

}  // namespace
}  // namespace scm::trainer
