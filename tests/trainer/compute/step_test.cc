// Steps: determinism, masks as a function of the step, bad values and bad input.
#include <ATen/Parallel.h>

#include <cmath>

#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

struct Result {
  double loss;
  std::vector<at::Tensor> gradients;
};

Result RunStep(const FakeSource& source, Precision precision, uint64_t seed, int64_t step,
               int64_t micro_step) {
  auto model = MakeModel(source, MakeLora(AllModules()), precision);
  const auto result =
      model->TrainStep(RowsOfLengths({150, 64, 9}, 61, 2), 1, seed, step, micro_step);
  EXPECT_TRUE(result.ok()) << result.status();
  Result out{result->loss_sum, {}};
  for (AdapterPair& pair : model->adapters()) {
    out.gradients.push_back(pair.grad_a);
    out.gradients.push_back(pair.grad_b);
  }
  return out;
}

bool Same(const Result& a, const Result& b) {
  bool same = a.loss == b.loss;
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    same = same && SameBits(a.gradients[i], b.gradients[i]);
  }
  return same;
}

void ExpectSameBitsForAnyNumberOfThreads(const FakeSource& source) {
  for (Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    at::set_num_threads(1);
    const Result one = RunStep(source, precision, 5, 3, 1);
    at::set_num_threads(2);
    const Result two = RunStep(source, precision, 5, 3, 1);
    at::set_num_threads(3);
    const Result three = RunStep(source, precision, 5, 3, 1);
    at::set_num_threads(1);
    EXPECT_TRUE(Same(one, two));
    EXPECT_TRUE(Same(one, three));
  }
}

TEST(Step, SameBitsForAnyNumberOfThreads) {
  ExpectSameBitsForAnyNumberOfThreads(FakeSource(SmallConfig(), 1));
  model::LlamaConfig config = SmallConfig();
  config.qkv_bias = config.qk_norm = true;
  config.rotates = {true, false};
  ExpectSameBitsForAnyNumberOfThreads(FakeSource(config, 1));
}

TEST(Step, RefusesTextsBeyondTheWindow) {
  model::LlamaConfig config = SmallConfig();
  config.window = 9;
  const FakeSource source(config, 1);
  auto model = MakeModel(source, MakeLora({"q_proj"}));
  EXPECT_TRUE(model->TrainStep(RowsOfLengths({9, 8}, 61, 2), 1, 1, 0, 0).ok());
  // Documents of one row are texts of their own.
  EXPECT_TRUE(model->TrainStep(Packed(RowsOfLengths({9, 8}, 61, 2), 0), 1, 1, 0, 0).ok());
  const Batch longer = RowsOfLengths({9, 10}, 61, 2);
  for (const absl::Status& status :
       {model->TrainStep(longer, 1, 1, 0, 0).status(), model->Score(longer).status(),
        model->Logits(longer).status()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("window of 9 tokens"), status.message().npos) << status;
  }
}

TEST(Step, MasksFollowTheKey) {
  const FakeSource source(SmallConfig(), 1);
  const Result base = RunStep(source, Precision::kFloat32, 5, 3, 1);
  EXPECT_TRUE(Same(base, RunStep(source, Precision::kFloat32, 5, 3, 1)));
  EXPECT_FALSE(Same(base, RunStep(source, Precision::kFloat32, 6, 3, 1)));
  EXPECT_FALSE(Same(base, RunStep(source, Precision::kFloat32, 5, 4, 1)));
  EXPECT_FALSE(Same(base, RunStep(source, Precision::kFloat32, 5, 3, 2)));
}

TEST(Step, BuffersGrowAndShrink) {
  const FakeSource source(SmallConfig(), 1);
  auto fresh = MakeModel(source, MakeLora(AllModules()));
  auto used = MakeModel(source, MakeLora(AllModules()));
  const Batch small = RowsOfLengths({9}, 61, 2), large = RowsOfLengths({80, 70}, 61, 2);
  ASSERT_TRUE(used->TrainStep(small, 1, 1, 0, 0).ok());
  ASSERT_TRUE(used->TrainStep(large, 1, 1, 1, 0).ok());
  ASSERT_TRUE(used->Score(large).ok());
  used->ZeroGradients();
  ASSERT_TRUE(used->TrainStep(small, 1, 1, 2, 0).ok());
  ASSERT_TRUE(fresh->TrainStep(small, 1, 1, 2, 0).ok());
  for (size_t i = 0; i < fresh->adapters().size(); ++i) {
    EXPECT_TRUE(SameBits(fresh->adapters()[i].grad_a, used->adapters()[i].grad_a));
  }
}

TEST(Step, NonFiniteWeightsShowInTheLoss) {
  for (const char* name : {"model.layers.1.mlp.down_proj.weight", "model.norm.weight",
                           "model.layers.0.self_attn.k_proj.weight"}) {
    for (float bad : {NAN, INFINITY}) {
      FakeSource source(SmallConfig(), 1);
      source.values(name)[7] = bad;
      for (Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
        auto model = MakeModel(source, MakeLora(AllModules()), precision);
        const Batch batch = RowsOfLengths({40}, 61, 2);
        const auto result = model->TrainStep(batch, 1, 1, 0, 0);
        ASSERT_TRUE(result.ok());
        EXPECT_FALSE(std::isfinite(result->loss_sum)) << name << " " << bad;
        EXPECT_FALSE(std::isfinite((*model->Score(batch))[0].log_likelihood)) << name;
      }
    }
  }
}

TEST(Step, NonFiniteAdapterShowsInTheLoss) {
  const FakeSource source(SmallConfig(), 1);
  for (const std::string& module : AllModules()) {
    auto model = MakeModel(source, MakeLora({module}, 0));
    model->adapters()[0].b.fill_(NAN);
    const auto result = model->TrainStep(RowsOfLengths({10}, 61, 2), 1, 1, 0, 0);
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(std::isnan(result->loss_sum)) << module;
  }
}

TEST(Step, InitialAdaptersAreUniformAndChangeNothing) {
  const FakeSource source(SmallConfig(), 1);
  auto model = MakeLlamaModel(source, Precision::kFloat32, "cpu");
  ASSERT_TRUE(model.ok());
  const Batch batch = RowsOfLengths({10}, 61, 2);
  const at::Tensor before = (*model)->Logits(batch).value();
  ASSERT_TRUE((*model)->AddLora(MakeLora(AllModules(), 0.1, 64), 3).ok());
  EXPECT_EQ((*model)->adapters().size(), 14u);
  EXPECT_EQ((*model)->adapters()[7].name, "base_model.model.model.layers.1.self_attn.q_proj");
  for (const AdapterPair& pair : (*model)->adapters()) {
    const double bound = 1 / std::sqrt(static_cast<double>(pair.a.size(1)));
    EXPECT_EQ(pair.b.abs().max().item<double>(), 0);
    EXPECT_LE(pair.a.abs().max().item<double>(), bound);
    // Standard deviation of U(−b, b) is b/√3; 5 σ of its estimate over ≥ 2800 draws is 5 %.
    EXPECT_NEAR(pair.a.std().item<double>() * std::sqrt(3.0) / bound, 1, 0.05);
    EXPECT_NEAR(pair.a.mean().item<double>() / bound, 0, 0.06);
  }
  EXPECT_TRUE(SameBits((*model)->Logits(batch).value(), before));
}

TEST(Step, BadLora) {
  const FakeSource source(SmallConfig(), 1);
  auto model = MakeLlamaModel(source, Precision::kFloat32, "cpu");
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->TrainStep(RowsOfLengths({4}, 61, 2), 1, 1, 0, 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
  LoraConfig lora = MakeLora({"q_proj", "lm_head"});
  EXPECT_NE((*model)->AddLora(lora, 1).message().find("lm_head"), std::string::npos);
  lora = MakeLora({"q_proj"});
  lora.r = 0;
  EXPECT_FALSE((*model)->AddLora(lora, 1).ok());
  lora = MakeLora({"q_proj"}, 1.0);
  EXPECT_FALSE((*model)->AddLora(lora, 1).ok());
  EXPECT_FALSE((*model)->AddLora(MakeLora({}), 1).ok());
}

TEST(Step, UnknownDeviceIsAnError) {
  const FakeSource source(SmallConfig(), 1);
  EXPECT_FALSE(MakeLlamaModel(source, Precision::kFloat32, "nowhere").ok());
}

}  // namespace
}  // namespace scm::trainer
