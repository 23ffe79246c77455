#include "model/formats/llama_tensors.h"

#include <cmath>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/model/builders.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

std::vector<TensorInfo> Present(const LlamaConfig& config) {
  std::vector<TensorInfo> tensors;
  for (const NeededTensor& needed : NeededTensors(config)) {
    tensors.push_back({needed.name, DType::kF32, needed.shape});
  }
  return tensors;
}

TEST(LlamaTensors, CompleteModelPasses) {
  for (const bool tied : {true, false}) {
    const LlamaConfig config = TinyConfig(tied);
    EXPECT_TRUE(CheckTensors(config, Present(config), "m").ok());
    EXPECT_EQ(NeededTensors(config).size(), 2 + 9 * 2 + (tied ? 0 : 1));
  }
}

TEST(LlamaTensors, EveryTensorIsNeededWithItsShape) {
  const LlamaConfig config = TinyConfig(false);
  const std::vector<TensorInfo> all = Present(config);
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<TensorInfo> missing = all;
    missing.erase(missing.begin() + i);
    const absl::Status lacking = CheckTensors(config, missing, "m");
    EXPECT_THAT(std::string(lacking.message()), HasSubstr(all[i].name + " is missing"));
    std::vector<TensorInfo> wrong = all;
    wrong[i].shape.back() += 1;
    const absl::Status misshapen = CheckTensors(config, wrong, "m");
    EXPECT_THAT(std::string(misshapen.message()), HasSubstr(all[i].name + " has shape"));
  }
}

TEST(LlamaTensors, StrangersAreRefusedAndBuffersIgnored) {
  const LlamaConfig tied = TinyConfig(true);
  std::vector<TensorInfo> tensors = Present(tied);
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::kF32, {2}});
  tensors.push_back({"lm_head.weight", DType::kF32, {300, 8}});
  EXPECT_TRUE(CheckTensors(tied, tensors, "m").ok());
  tensors.push_back({"model.layers.0.self_attn.q_proj.bias", DType::kF32, {8}});
  EXPECT_THAT(std::string(CheckTensors(tied, tensors, "m").message()), HasSubstr("q_proj.bias"));
}

TEST(LlamaTensors, ConfigsOutOfRangeAreRefused) {
  const struct {
    const char* name;
    std::function<void(LlamaConfig&)> change;
  } cases[] = {{"vocab_size", [](LlamaConfig& c) { c.vocabulary = 0; }},
               {"hidden_size", [](LlamaConfig& c) { c.hidden = -8; }},
               {"intermediate_size", [](LlamaConfig& c) { c.intermediate = int64_t{1} << 40; }},
               {"num_hidden_layers", [](LlamaConfig& c) { c.layers = 1 << 20; }},
               {"multiple", [](LlamaConfig& c) { c.heads = 3, c.kv_heads = 2; }},
               {"even", [](LlamaConfig& c) { c.head_dim = 5; }},
               {"head_dim", [](LlamaConfig& c) { c.heads = c.kv_heads = c.head_dim = 65536; }},
               {"rms_norm_eps", [](LlamaConfig& c) { c.rms_norm_eps = 0; }},
               {"rms_norm_eps", [](LlamaConfig& c) { c.rms_norm_eps = NAN; }},
               {"rope_theta", [](LlamaConfig& c) { c.rope_theta = -1; }},
               {"outside the vocabulary", [](LlamaConfig& c) { c.bos_token = 300; }},
               {"outside the vocabulary", [](LlamaConfig& c) { c.eos_token = -2; }}};
  EXPECT_TRUE(CheckConfig(TinyConfig(), "m").ok());
  for (const auto& c : cases) {
    LlamaConfig config = TinyConfig();
    c.change(config);
    const absl::Status status = CheckConfig(config, "m");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.name));
  }
}

TEST(LlamaTensors, ElementCountDoesNotOverflow) {
  EXPECT_EQ(ElementCount({}), 1);
  EXPECT_EQ(ElementCount({3, 0, 5}), 0);
  EXPECT_EQ(ElementCount({int64_t{1} << 32, int64_t{1} << 31}), -1);
  EXPECT_EQ(ElementCount({-1}), -1);
}

}  // namespace
}  // namespace scm::model
