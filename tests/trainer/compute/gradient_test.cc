// Loss and gradients of the hand-written passes against autograd, with the same dropout masks.
#include "tests/trainer/compute/reference_model.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

// Limits on ‖g − reference‖ / ‖reference‖ of each tensor.
constexpr double kFloatLimit = 1e-5;
constexpr double kBFloat16Limit = 5e-2;
constexpr double kBFloat16LossLimit = 1e-2;

struct Case {
  std::string name;
  std::vector<std::string> modules;
  bool tied = false, scaled_rope = false;
  bool own_numbers = false;  // rsLoRA, and patterns of ranks and alphas
  int64_t kv_heads = 3, label_every = 1;
  double dropout = 0.2;
  bool biases = false, head_norms = false, unplaced_layer = false;
};

model::LlamaConfig ConfigOf(const Case& c) {
  model::LlamaConfig config = SmallConfig();
  config.tied_embeddings = c.tied;
  config.kv_heads = c.kv_heads;
  if (c.scaled_rope) {
    config.rope_scaling = model::RopeScaling();
    config.rope_scaling->original_max_position = 32;
  }
  config.qkv_bias = c.biases;
  config.qk_norm = c.head_norms;
  if (c.unplaced_layer) config.rotates = {false, true};
  return config;
}

LoraConfig LoraOf(const Case& c) {
  LoraConfig lora = MakeLora(c.modules, c.dropout);
  if (!c.own_numbers) return lora;
  lora.use_rslora = true;
  lora.rank_pattern = {{"0.*proj", 3}, {"down_proj", 11}, {"k_proj", 1}};
  lora.alpha_pattern = {{"model.layers.0.self_attn.q_proj", 2.5},
                        {"model.layers.1.mlp.down_proj", 0.75}};
  return lora;
}

void Compare(const Case& c, Precision precision, std::unique_ptr<Kernels> kernels, double limit,
             double loss_limit) {
  const FakeSource source(ConfigOf(c), 1);
  const LoraConfig lora = LoraOf(c);
  auto model = MakeModel(source, lora, precision, std::move(kernels));
  const Batch batch = RowsOfLengths({70, 9, 33}, source.config().vocabulary, 5, c.label_every);
  const double scale = 0.01;
  const auto result = model->TrainStep(batch, scale, 99, 4, 2);
  ASSERT_TRUE(result.ok()) << result.status();
  const ReferenceStep reference =
      RunReference(source, lora, model->adapters(), batch, scale, {c.dropout, 99, 4, 2});
  EXPECT_NEAR(result->loss_sum / reference.loss_sum, 1, loss_limit) << c.name;
  ASSERT_EQ(model->adapters().size(), reference.adapters.size());
  for (const AdapterPair& pair : model->adapters()) {
    const ReferenceAdapter& expected = reference.adapters.at(pair.name);
    EXPECT_GT(pair.grad_a.norm().item<double>(), 0) << pair.name;
    EXPECT_LT(RelativeError(pair.grad_a, expected.a.grad()), limit) << c.name << " " << pair.name;
    EXPECT_LT(RelativeError(pair.grad_b, expected.b.grad()), limit) << c.name << " " << pair.name;
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const std::string& module : AllModules()) {
    Case c;
    c.name = "only " + module;
    c.modules = {module};
    cases.push_back(c);
  }
  Case usual;
  usual.name = "usual";
  usual.modules = {"q_proj", "v_proj", "o_proj", "gate_proj"};
  cases.push_back(usual);
  Case all = usual;
  all.name = "all, tied";
  all.modules = AllModules();
  all.tied = true;
  cases.push_back(all);
  all.name = "all, with ranks and alphas of their own";
  all.own_numbers = true;
  cases.push_back(all);
  all.own_numbers = false;
  all.name = "all, scaled rotary, one key head";
  all.scaled_rope = true;
  all.kv_heads = 1;
  cases.push_back(all);
  all.name = "all, as many key heads, no dropout, few labels";
  all.kv_heads = 6;
  all.dropout = 0;
  all.label_every = 7;
  cases.push_back(all);
  Case family = usual;
  family.name = "biases, as Qwen2";
  family.modules = AllModules();
  family.biases = true;
  cases.push_back(family);
  family.biases = false;
  family.head_norms = true;
  family.name = "head norms, as Qwen3";
  cases.push_back(family);
  family.modules = {"q_proj"};
  family.name = "head norms, only q_proj";
  cases.push_back(family);
  family.modules = AllModules();
  family.head_norms = false;
  family.unplaced_layer = true;
  family.name = "a layer without positions, as SmolLM3";
  cases.push_back(family);
  return cases;
}

TEST(Gradient, EveryModuleInFloat32) {
  for (const Case& c : Cases()) {
    Compare(c, Precision::kFloat32, MakeCpuKernels(), kFloatLimit, 1e-6);
  }
}

TEST(Gradient, EveryInstructionSet) {
  for (const char* isa : {"baseline", "avx2", "avx512", "avx512_bf16", "amx"}) {
    const CpuFunctions* table = CpuFunctionsByName(isa);
    if (table == nullptr) continue;  // this machine lacks it
    Case c;
    c.modules = AllModules();
    c.name = isa;
    c.tied = true;
    c.kv_heads = 6;
    c.label_every = 7;
    c.scaled_rope = true;
    c.dropout = 0.3;
    Compare(c, Precision::kFloat32, MakeCpuKernels(table), kFloatLimit, 1e-6);
    Compare(c, Precision::kBFloat16, MakeCpuKernels(table), kBFloat16Limit, kBFloat16LossLimit);
    c.biases = c.head_norms = c.unplaced_layer = true;
    Compare(c, Precision::kFloat32, MakeCpuKernels(table), kFloatLimit, 1e-6);
    Compare(c, Precision::kBFloat16, MakeCpuKernels(table), kBFloat16Limit, kBFloat16LossLimit);
  }
}

TEST(Gradient, AtenKernels) {
  for (const Case& c : Cases()) {
    Compare(c, Precision::kFloat32, MakeAtenKernels(), kFloatLimit, 1e-6);
  }
}

TEST(Gradient, BFloat16) {
  for (const Case& c : Cases()) {
    Compare(c, Precision::kBFloat16, MakeCpuKernels(), kBFloat16Limit, kBFloat16LossLimit);
    Compare(c, Precision::kBFloat16, MakeAtenKernels(), kBFloat16Limit, kBFloat16LossLimit);
  }
}

// Gradients accumulate over micro-batches, and scale with gradient_scale.
TEST(Gradient, Accumulates) {
  const FakeSource source(SmallConfig(), 1);
  auto model = MakeModel(source, MakeLora({"q_proj"}, 0));
  const Batch batch = RowsOfLengths({20}, 61, 5);
  ASSERT_TRUE(model->TrainStep(batch, 1, 1, 0, 0).ok());
  const at::Tensor once = model->adapters()[0].grad_a.clone();
  ASSERT_TRUE(model->TrainStep(batch, 2, 1, 0, 1).ok());
  EXPECT_LT(RelativeError(model->adapters()[0].grad_a, once * 3), 1e-6);
  model->ZeroGradients();
  EXPECT_EQ(model->adapters()[0].grad_a.norm().item<double>(), 0);
}

}  // namespace
}  // namespace scm::trainer
