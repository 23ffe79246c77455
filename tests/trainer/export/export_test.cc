// Merged models on disk, with the real model, and which checkpoint they are made of.
#include <ATen/core/Tensor.h>
#include <ATen/ops/sub.h>

#include "common/files.h"
#include "gtest/gtest.h"
#include "model/open_model.h"
#include "tests/trainer/loop/files_fixture.h"
#include "trainer/export/export_job.h"
#include "trainer/export/merge.h"
#include "trainer/loop/training_state.h"

namespace scm::trainer {
namespace {

using Export = Files;

TEST_F(Export, MergedModelAnswersLikeBasePlusAdapter) {
  const absl::Status merged =
      WriteMergedModel(root() + "/model", root() + "/adapter", root() + "/merged", nullptr);
  ASSERT_TRUE(merged.ok()) << merged;
  const auto whole = LoadTiny(root() + "/merged");
  const at::Tensor expected = model_->Logits(SmallBatch()).value();
  const at::Tensor found = whole->Logits(SmallBatch()).value();
  EXPECT_LT(at::sub(expected, found).abs().max().item<double>(), 1e-4);
  model_->EnableAdapters(false);
  EXPECT_GT(at::sub(model_->Logits(SmallBatch()).value(), found).abs().max().item<double>(), 1e-2)
      << "the adapter changes nothing, so the comparison above says nothing";
  const auto source = model::OpenModel(root() + "/merged");
  ASSERT_TRUE(source.ok());
  EXPECT_TRUE((*source)->MakeTokenizer().ok());
}

TEST_F(Export, MergeRefusesAnAdapterOfAnotherModel) {
  const std::string path = root() + "/adapter/adapter_model.safetensors";
  std::string content = ReadFile(path).value();
  for (size_t at = 0; (at = content.find("layers.1.", at)) != std::string::npos; ++at) {
    content.replace(at, 9, "layers.7.");
  }
  ASSERT_TRUE(WriteFileAtomically(path, content).ok());
  const absl::Status merged =
      WriteMergedModel(root() + "/model", root() + "/adapter", root() + "/merged", nullptr);
  EXPECT_EQ(merged.code(), absl::StatusCode::kInvalidArgument) << merged;
}

TEST_F(Export, BestCheckpointHasTheLowestValidationLoss) {
  std::vector<JobInput> inputs;
  for (const double loss : {2.0, 1.0, 3.0}) {
    TrainingState state;
    state.step = state.validated_step = 4;
    state.fingerprint = "f";
    state.validation = ValidationResult{loss, std::nullopt};
    JobInput input{"checkpoint", "r-1", static_cast<int64_t>(inputs.size()), 4,
                   root() + "/c" + std::to_string(inputs.size())};
    ASSERT_TRUE(MakeDirectories(input.dir).ok());
    ASSERT_TRUE(
        WriteFileAtomically(input.dir + "/training_state.json", TrainingStateToJson(state).dump())
            .ok());
    inputs.push_back(input);
  }
  EXPECT_EQ(BestCheckpoint(inputs)->seed, 1);
  EXPECT_FALSE(BestCheckpoint({}).ok());
  EXPECT_FALSE(BestCheckpoint({{"evaluation", "", 0, 0, "/x"}}).ok());
}

}  // namespace
}  // namespace scm::trainer
