// Where the first value that is not finite arose.
#include <cmath>
#include <limits>

#include "tests/trainer/compute/support.h"
#include "trainer/compute/first_non_finite.h"

namespace scm::trainer {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Batch SomeRows() { return RowsOfLengths({20, 9}, SmallConfig().vocabulary, 5); }

std::string PlaceIn(LlamaModel* model, double gradient_scale = 0.01) {
  FirstNonFinite found;
  model->Watch(&found);
  const auto loss = model->TrainStep(SomeRows(), gradient_scale, 99, 4, 0);
  EXPECT_TRUE(loss.ok()) << loss.status();
  model->Watch(nullptr);
  return found.place;
}

LoraConfig SomeLora() { return MakeLora({"q_proj", "o_proj", "down_proj"}); }

TEST(Watch, NamesTheModuleWhoseWeightIsNoNumber) {
  const std::pair<const char*, const char*> cases[] = {
      {"model.layers.1.input_layernorm.weight", "layer 1, input_layernorm, forward"},
      {"model.layers.1.self_attn.q_proj.weight", "layer 1, self_attn.q_proj, forward"},
      {"model.layers.0.self_attn.k_proj.weight", "layer 0, self_attn.k_proj, forward"},
      {"model.layers.1.self_attn.v_proj.weight", "layer 1, self_attn.v_proj, forward"},
      {"model.layers.1.self_attn.o_proj.weight", "layer 1, self_attn.o_proj, forward"},
      {"model.layers.0.post_attention_layernorm.weight",
       "layer 0, post_attention_layernorm, forward"},
      {"model.layers.1.mlp.gate_proj.weight", "layer 1, mlp.gate_proj, forward"},
      {"model.layers.0.mlp.up_proj.weight", "layer 0, mlp.up_proj, forward"},
      {"model.layers.1.mlp.down_proj.weight", "layer 1, mlp.down_proj, forward"},
      {"model.norm.weight", "norm, forward"},
      {"lm_head.weight", "lm_head, forward"},
  };
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16}) {
    for (const auto& [tensor, place] : cases) {
      FakeSource source(SmallConfig(), 1);
      source.values(tensor)[3] = kNan;
      EXPECT_EQ(PlaceIn(MakeModel(source, SomeLora(), precision).get()), place) << tensor;
    }
  }
  FakeSource source(SmallConfig(), 1);
  for (float& value : source.values("model.embed_tokens.weight")) value = kNan;
  EXPECT_EQ(PlaceIn(MakeModel(source, SomeLora()).get()), "embed_tokens, forward");
}

TEST(Watch, NamesAnAdapterAndWhatOverflowsOnTheWayBack) {
  const FakeSource source(SmallConfig(), 1);
  const auto model = MakeModel(source, SomeLora());
  model->adapters()[4].b.mutable_data_ptr<float>()[0] = kNan;
  EXPECT_EQ(model->adapters()[4].name, "base_model.model.model.layers.1.self_attn.o_proj");
  EXPECT_EQ(PlaceIn(model.get()), "layer 1, self_attn.o_proj, forward");

  FakeSource steep(SmallConfig(), 1);
  for (float& value : steep.values("lm_head.weight")) value *= 1e6f;
  EXPECT_EQ(PlaceIn(MakeModel(steep, SomeLora()).get(), 1e36), "lm_head, backward");
}

TEST(Watch, ChangesNothing) {
  const FakeSource source(SmallConfig(), 1);
  const auto plain = MakeModel(source, SomeLora()), watched = MakeModel(source, SomeLora());
  ASSERT_TRUE(plain->TrainStep(SomeRows(), 0.01, 99, 4, 0).ok());
  EXPECT_EQ(PlaceIn(watched.get()), "");
  for (size_t i = 0; i < plain->adapters().size(); ++i) {
    EXPECT_TRUE(SameBits(plain->adapters()[i].grad_a, watched->adapters()[i].grad_a));
    EXPECT_TRUE(SameBits(plain->adapters()[i].grad_b, watched->adapters()[i].grad_b));
  }
  // And afterwards neither.
  plain->ZeroGradients();
  watched->ZeroGradients();
  ASSERT_TRUE(plain->TrainStep(SomeRows(), 0.01, 99, 5, 0).ok());
  ASSERT_TRUE(watched->TrainStep(SomeRows(), 0.01, 99, 5, 0).ok());
  for (size_t i = 0; i < plain->adapters().size(); ++i) {
    EXPECT_TRUE(SameBits(plain->adapters()[i].grad_a, watched->adapters()[i].grad_a));
  }
}

}  // namespace
}  // namespace scm::trainer
