// Several adapter sets over one base: each has the bits that it has alone, whichever others train
// with it, in whatever passes and with however many threads.
#include <ATen/Parallel.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

// What one run trains: sets differ in everything that a run may choose.
struct SetCase {
  LoraConfig lora;
  Batch batch;
  double gradient_scale;
  uint64_t seed;
  int64_t step, micro_step;
};

std::vector<SetCase> Sets() {
  const int64_t v = SmallConfig().vocabulary;
  LoraConfig only = MakeLora({"v_proj", "down_proj"}, 0, 3);
  only.only = {"model.layers.1.self_attn.v_proj", "model.layers.1.mlp.down_proj"};
  return {
      {MakeLora(AllModules(), 0.2, 5), RowsOfLengths({70, 33, 9}, v, 2), 0.1, 11, 3, 0},
      {MakeLora({"q_proj", "k_proj"}, 0.5, 16), RowsOfLengths({1}, v, 3), 1, 12, 1, 0},
      {MakeLora(AllModules(), 0, 1), Packed(RowsOfLengths({7, 30}, v, 4), 5), 2, 13, 9, 2},
      {only, RowsOfLengths({40, 40}, v, 5, 3), 1, 14, 3, 1},
      {MakeLora({"gate_proj", "o_proj"}, 0.1, 8), RowsOfLengths({17, 200}, v, 6), 0.3, 11, 3, 0}};
}

struct Trained {
  double loss = 0;
  int64_t labels = 0;
  std::vector<at::Tensor> gradients;
};

// B is random too, so that every gradient is non-zero.
void FillB(uint64_t seed, std::vector<AdapterPair>& pairs) {
  uint64_t index = 0;
  for (AdapterPair& pair : pairs) {
    Philox rng(seed, "test_b", index++);
    for (int64_t i = 0; i < pair.b.numel(); ++i) {
      pair.b.mutable_data_ptr<float>()[i] = static_cast<float>(0.1 * rng.Normal());
    }
  }
}

struct Base {
  Precision precision;
  BaseQuantization quantization;
};
const Base kBases[] = {{Precision::kFloat32, {}},
                       {Precision::kBFloat16, {}},
                       {Precision::kFloat32, {BaseQuantization::Kind::kNf4, true}},
                       {Precision::kBFloat16, {BaseQuantization::Kind::kNf4, false}},
                       {Precision::kFloat32, {BaseQuantization::Kind::kInt8, false}}};

// How a step is computed.
struct Way {
  int threads = 1;
  int64_t rows_to_share = 0;  // that passes have more than they need
  int64_t pass_rows = 100000;
  bool recompute = false;
};
std::string Describe(const Way& way) {
  return absl::StrCat(way.threads, " threads, ", way.rows_to_share, " rows shared, cut at ",
                      way.pass_rows, way.recompute ? ", computed again" : "");
}

class AdapterSets : public testing::TestWithParam<Base> {
 protected:
  void TearDown() override { at::set_num_threads(1); }

  // The cases named by `which`, in that order.
  std::vector<Trained> Train(const std::vector<size_t>& which, const Way& way) {
    at::set_num_threads(way.threads);
    const FakeSource source(SmallConfig(), 5);
    auto model = MakeLlamaModelWith(source, GetParam().precision, "cpu", MakeCpuKernels(),
                                    GetParam().quantization);
    EXPECT_TRUE(model.ok()) << model.status();
    auto& impl = static_cast<LlamaModelImpl&>(**model);
    impl.set_rows_to_share(way.rows_to_share);
    impl.set_pass_rows(way.pass_rows);
    impl.RecomputeActivations(way.recompute);
    const std::vector<SetCase> sets = Sets();
    std::vector<MicroBatch> micro_batches;
    for (size_t i = 0; i < which.size(); ++i) {
      const SetCase& c = sets[which[i]];
      EXPECT_TRUE((*model)->AddAdapterSet(c.lora, 20 + which[i]).ok());
      FillB(17 + which[i], (*model)->adapters(i));
      micro_batches.push_back({&c.batch, i, c.gradient_scale, c.seed, c.step, c.micro_step});
    }
    std::vector<Trained> trained(which.size());
    // The second step adds to the gradients of the first, in buffers that are there.
    for (int round = 0; round < 2; ++round) {
      const auto losses = (*model)->TrainStep(micro_batches);
      EXPECT_TRUE(losses.ok()) << losses.status();
      for (size_t i = 0; i < which.size(); ++i) {
        trained[i].loss = (*losses)[i].loss_sum;
        trained[i].labels = (*losses)[i].labels;
      }
    }
    for (size_t i = 0; i < which.size(); ++i) {
      for (const AdapterPair& pair : (*model)->adapters(i)) {
        trained[i].gradients.push_back(pair.grad_a);
        trained[i].gradients.push_back(pair.grad_b);
      }
    }
    return trained;
  }
};

void ExpectSame(const Trained& a, const Trained& b, const std::string& what) {
  EXPECT_EQ(a.loss, b.loss) << what;
  EXPECT_EQ(a.labels, b.labels) << what;
  ASSERT_EQ(a.gradients.size(), b.gradients.size()) << what;
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    EXPECT_TRUE(SameBits(a.gradients[i], b.gradients[i])) << what << ", gradient " << i;
  }
}

TEST_P(AdapterSets, HaveTheBitsThatTheyHaveAlone) {
  std::vector<Trained> alone;
  for (size_t i = 0; i < Sets().size(); ++i) alone.push_back(Train({i}, Way())[0]);
  double norm = 0;
  for (const Trained& one : alone) {
    for (const at::Tensor& gradient : one.gradients) norm += gradient.norm().item<double>();
  }
  EXPECT_GT(norm, 0);
  // Groups of one, of some, of all; other numbers and orders of neighbours.
  const std::vector<std::vector<size_t>> packs = {{0, 1, 2, 3, 4}, {4, 2, 0}, {3, 1}};
  for (const Way& way : {Way{1, 0}, Way{1, 60}, Way{1, 100000}, Way{2, 100000},
                         Way{1, 60, 100000, true}, Way{2, 100000, 100000, true}}) {
    for (const auto& pack : packs) {
      const std::vector<Trained> together = Train(pack, way);
      for (size_t i = 0; i < pack.size(); ++i) {
        ExpectSame(
            together[i], alone[pack[i]],
            absl::StrCat("case ", pack[i], " at ", i, " of ", pack.size(), ", ", Describe(way)));
      }
    }
  }
}

// Where micro-batches are cut decides in which order gradients are summed, and nothing else: not
// which values are dropped, nor who shares a pass.
TEST_P(AdapterSets, OfMicroBatchesThatAreCut) {
  std::vector<Trained> cut;
  for (size_t i = 0; i < Sets().size(); ++i) {
    cut.push_back(Train({i}, Way{1, 0, 40})[0]);
    const Trained whole = Train({i}, Way())[0];
    EXPECT_EQ(cut[i].labels, whole.labels);
    EXPECT_NEAR(cut[i].loss / whole.loss, 1, 1e-12) << i;
    for (size_t j = 0; j < whole.gradients.size(); ++j) {
      const at::Tensor difference = cut[i].gradients[j] - whole.gradients[j];
      EXPECT_LE(difference.norm().item<double>(), 2e-6 * whole.gradients[j].norm().item<double>())
          << "case " << i << ", gradient " << j;
    }
  }
  for (const Way& way : {Way{1, 60, 40}, Way{2, 100000, 40}, Way{2, 60, 40, true}}) {
    const std::vector<Trained> together = Train({4, 2, 0, 1, 3}, way);
    const size_t order[] = {4, 2, 0, 1, 3};
    for (size_t i = 0; i < 5; ++i) {
      ExpectSame(together[i], cut[order[i]], absl::StrCat("case ", order[i], ", ", Describe(way)));
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, AdapterSets, testing::ValuesIn(kBases));

// 0 · NaN would reach the others if products of adapters ran over all rows.
TEST(AdapterSet, ThatDivergedLeavesTheOthersAlone) {
  const FakeSource source(SmallConfig(), 5);
  const Batch batch = RowsOfLengths({20, 9}, SmallConfig().vocabulary, 2);
  std::vector<at::Tensor> gradients[2];
  for (const bool diverged : {false, true}) {
    auto model = MakeModel(source, MakeLora(AllModules()));
    ASSERT_TRUE(model->AddAdapterSet(MakeLora(AllModules()), 4).ok());
    if (diverged) model->adapters(1)[0].b.fill_(std::nanf(""));
    const auto losses = model->TrainStep({{&batch, 0, 1, 7, 1, 0}, {&batch, 1, 1, 8, 1, 0}});
    ASSERT_TRUE(losses.ok()) << losses.status();
    EXPECT_TRUE(std::isfinite((*losses)[0].loss_sum));
    EXPECT_EQ(std::isfinite((*losses)[1].loss_sum), !diverged);
    for (const AdapterPair& pair : model->adapters(0)) gradients[diverged].push_back(pair.grad_a);
  }
  for (size_t i = 0; i < gradients[0].size(); ++i) {
    EXPECT_TRUE(SameBits(gradients[0][i], gradients[1][i]));
  }
}

TEST(AdapterSet, IsChosenForScoring) {
  const FakeSource source(SmallConfig(), 5);
  const Batch batch = RowsOfLengths({20, 9}, SmallConfig().vocabulary, 2);
  auto both = MakeModel(source, MakeLora(AllModules()));
  ASSERT_TRUE(both->AddAdapterSet(MakeLora({"q_proj"}, 0.1, 8), 4).ok());
  FillB(1, both->adapters(1));
  auto first = MakeModel(source, MakeLora(AllModules()));
  auto second = MakeModel(source, MakeLora({"q_proj"}, 0.1, 8));
  ASSERT_TRUE(second->AddLora(MakeLora({"q_proj"}, 0.1, 8), 4).ok());
  for (size_t i = 0; i < second->adapters().size(); ++i) {
    second->adapters()[i].b.copy_(both->adapters(1)[i].b);
  }
  for (const size_t set : {0, 1, 0}) {
    both->SelectAdapterSet(set);
    const auto logits = both->Logits(batch);
    const auto expected = (set == 0 ? first : second)->Logits(batch);
    ASSERT_TRUE(logits.ok() && expected.ok());
    EXPECT_TRUE(SameBits(*logits, *expected));
  }
}

TEST(AdapterSet, GivesBadOrDoubledNumbersBack) {
  const FakeSource source(SmallConfig(), 5);
  const Batch batch = RowsOfLengths({4}, SmallConfig().vocabulary, 2);
  auto model = MakeModel(source, MakeLora(AllModules()));
  EXPECT_EQ(model->TrainStep({{&batch, 1, 1, 7, 1, 0}}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->TrainStep({{&batch, 0, 1, 7, 1, 0}, {&batch, 0, 1, 7, 1, 1}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace scm::trainer
