// A tiny model with an adapter that changes it, both on disk.
#pragma once

#include <memory>
#include <string>

#include "common/files.h"
#include "common/rng.h"
#include "gtest/gtest.h"
#include "model/open_model.h"
#include "tests/trainer/loop/tiny_model.h"
#include "trainer/data/packing.h"
#include "trainer/export/merge.h"
#include "trainer/loop/adapter_file.h"

namespace scm::trainer {

inline std::unique_ptr<LlamaModel> LoadTiny(const std::string& dir) {
  const auto source = model::OpenModel(dir);
  EXPECT_TRUE(source.ok()) << source.status();
  auto model = MakeLlamaModel(**source, Precision::kFloat32, "cpu");
  EXPECT_TRUE(model.ok()) << model.status();
  return std::move(*model);
}

// Adapters that change the model: B is not zero.
inline void RandomizeAdapters(LlamaModel* model) {
  Philox rng(3, "adapters");
  for (AdapterPair& pair : model->adapters()) {
    for (at::Tensor* tensor : {&pair.a, &pair.b}) {
      for (int64_t i = 0; i < tensor->numel(); ++i) {
        tensor->data_ptr<float>()[i] = static_cast<float>(0.2 * rng.Normal());
      }
    }
  }
}

inline Batch SmallBatch() {
  static const TokenExample* const kExample = [] {
    auto* example = new TokenExample();
    for (int32_t i = 0; i < 20; ++i) example->tokens.push_back((i * 37) % 256);
    return example;
  }();
  return LayOutRows({{kExample}});
}

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::WriteTinyModel(root() + "/model");
    model_ = LoadTiny(root() + "/model");
    ASSERT_TRUE(model_->AddLora(config_, 7).ok());
    RandomizeAdapters(model_.get());
    ASSERT_TRUE(MakeDirectories(root() + "/adapter").ok());
    const absl::Status written = WriteAdapter(root() + "/adapter", config_, "base", model_.get());
    ASSERT_TRUE(written.ok()) << written;
  }
  std::string root() const { return directory_.path(); }
  // The written adapter_config.json with one key changed.
  void ChangeConfig(const char* key, const Json& value) {
    if (original_.empty()) original_ = ReadFile(root() + "/adapter/adapter_config.json").value();
    Json changed = *ParseJson(original_, "adapter_config.json");
    changed[key] = value;
    ASSERT_TRUE(WriteFileAtomically(root() + "/adapter/adapter_config.json", changed.dump()).ok());
  }
  // The adapter as the evaluator reads it, and as the export does.
  absl::Status Scored() {
    return LoadAdapter(root() + "/adapter", LoadTiny(root() + "/model").get());
  }
  absl::Status Merged() {
    return WriteMergedModel(root() + "/model", root() + "/adapter", root() + "/merged", nullptr);
  }

  testing::TemporaryDirectory directory_;
  LoraConfig config_{4, 8, 0.1, {"q_proj", "down_proj"}};
  std::unique_ptr<LlamaModel> model_;
  std::string original_;
};

}  // namespace scm::trainer
