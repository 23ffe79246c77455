// Models and products whose frozen matrices are quantised.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

using Kind = BaseQuantization::Kind;

at::Tensor Noise(std::vector<int64_t> shape, at::ScalarType type, uint64_t seed) {
  at::Tensor t = at::empty(shape, at::kFloat);
  Philox rng(seed, "noise", 0);
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  }
  return t.to(type);
}

FrozenMatrix Quantized(const at::Tensor& w, const BaseQuantization& how, at::ScalarType type) {
  auto matrix = QuantizedMatrix::Make(w.const_data_ptr<float>(), w.size(0), w.size(1), how);
  EXPECT_TRUE(matrix.ok()) << matrix.status();
  return FrozenMatrix(std::make_shared<const QuantizedMatrix>(*std::move(matrix)), type);
}

at::Tensor Restored(const FrozenMatrix& w) {
  at::Tensor out = at::empty({w.out, w.in}, at::kFloat);
  for (int64_t row = 0; row < w.out; ++row) {
    w.quantized->Read(row, 0, w.in, out.mutable_data_ptr<float>() + row * w.in);
  }
  return out.to(w.type);
}

const BaseQuantization kHows[] = {{Kind::kNf4, true}, {Kind::kNf4, false}, {Kind::kInt8, true}};
// Below one tile, just above, several with a narrow rest, odd.
const int64_t kShapes[][3] = {{3, 40, 33},    {9, 64, 47},     {50, 192, 256}, {17, 576, 193},
                              {30, 257, 400}, {110, 600, 577}, {200, 385, 640}};

TEST(QuantizedProducts, HaveTheBitsOfProductsWithTheRestoredMatrix) {
  std::unique_ptr<Kernels> kernels[] = {MakeCpuKernels(),
                                        MakeCpuKernels(CpuFunctionsByName("baseline"))};
  for (const auto& s : kShapes) {
    const int64_t m = s[0], in = s[1], out = s[2];
    for (const BaseQuantization& how : kHows) {
      for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        const FrozenMatrix w = Quantized(Noise({out, in}, at::kFloat, 1), how, type);
        const FrozenMatrix w2 = Quantized(Noise({out + 5, in}, at::kFloat, 2), how, type);
        const FrozenMatrix plain(Restored(w)), plain2(Restored(w2));
        const at::Tensor x = Noise({m, in}, type, 3), residual = Noise({m, out}, type, 4);
        const LoraTerm lora{Noise({m, 6}, at::kFloat, 5), Noise({out, 6}, at::kFloat, 6), 0.7f};
        const at::Tensor dy = Noise({m, out}, type, 7), dy2 = Noise({m, out + 5}, at::kFloat, 8);
        for (const auto& k : kernels) {
          at::Tensor y[3], dx[2];
          for (at::Tensor& t : y) t = at::empty({m, out}, type);
          for (at::Tensor& t : dx) t = at::empty({m, in}, type);
          k->Linear(x, w, &lora, residual, y[0]);
          k->Linear(x, plain, &lora, residual, y[1]);
          EXPECT_TRUE(SameBits(y[0], y[1])) << m << " " << in << " " << out;
          y[2].copy_(residual);
          k->Linear(x, w, &lora, y[2], y[2]);  // in place
          EXPECT_TRUE(SameBits(y[2], y[1])) << m << " " << in << " " << out;
          k->LinearBackward({{dy, w}, {dy2, w2}}, dx[0]);
          k->LinearBackward({{dy, plain}, {dy2, plain2}}, dx[1]);
          EXPECT_TRUE(SameBits(dx[0], dx[1])) << m << " " << in << " " << out;
        }
      }
    }
  }
}

TEST(QuantizedProducts, OfAtenAgree) {
  const auto fast = MakeCpuKernels(), plain = MakeAtenKernels();
  for (const auto& s : kShapes) {
    const FrozenMatrix w = Quantized(Noise({s[2], s[1]}, at::kFloat, 1), kHows[0], at::kFloat);
    const at::Tensor x = Noise({s[0], s[1]}, at::kFloat, 2),
                     dy = Noise({s[0], s[2]}, at::kFloat, 3);
    at::Tensor y[2], dx[2];
    for (int i = 0; i < 2; ++i) {
      Kernels* k = i == 0 ? fast.get() : plain.get();
      y[i] = at::empty({s[0], s[2]}, at::kFloat);
      dx[i] = at::empty({s[0], s[1]}, at::kFloat);
      k->Linear(x, w, nullptr, at::Tensor(), y[i]);
      k->LinearBackward({{dy, w}}, dx[i]);
    }
    EXPECT_LT(RelativeError(y[0], y[1]), 2e-6);
    EXPECT_LT(RelativeError(dx[0], dx[1]), 2e-6);
  }
}

// A model over a quantised base is the model whose base holds the restored values.
class QuantizedModel : public testing::TestWithParam<BaseQuantization> {};

TEST_P(QuantizedModel, TrainsAsOverTheRestoredBase) {
  FakeSource source(SmallConfig(), 5), restored(SmallConfig(), 5);
  int64_t parameters = 0;
  for (const model::TensorInfo& tensor : source.tensors()) {
    if (tensor.name.find("_proj") == std::string::npos) continue;
    const int64_t out = tensor.shape[0], in = tensor.shape[1];
    at::Tensor w = at::from_blob(source.values(tensor.name).data(), {out, in}, at::kFloat);
    const at::Tensor values = Restored(Quantized(w, GetParam(), at::kFloat));
    std::copy_n(values.const_data_ptr<float>(), out * in, restored.values(tensor.name).data());
    parameters += out * in;
  }
  const Batch batch = RowsOfLengths({7, 12}, SmallConfig().vocabulary, 2);
  std::vector<at::Tensor> gradients[2];
  double losses[2];
  for (int i = 0; i < 2; ++i) {
    auto model = MakeLlamaModelWith(i == 0 ? source : restored, Precision::kFloat32, "cpu",
                                    MakeCpuKernels(), i == 0 ? GetParam() : BaseQuantization());
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_TRUE((*model)->AddLora(MakeLora(AllModules()), 3).ok());
    for (AdapterPair& pair : (*model)->adapters())
      pair.b.copy_(Noise({pair.b.size(0), 5}, at::kFloat, 9));
    const auto loss = (*model)->TrainStep(batch, 1, 4, 0, 0);
    ASSERT_TRUE(loss.ok()) << loss.status();
    losses[i] = loss->loss_sum;
    for (const AdapterPair& pair : (*model)->adapters()) {
      gradients[i].push_back(pair.grad_a);
      gradients[i].push_back(pair.grad_b);
    }
    const QuantizedBase base = (*model)->quantized_base();
    EXPECT_EQ(base.parameters, i == 0 ? parameters : 0);
    EXPECT_EQ(base.matrices, i == 0 ? 7 * SmallConfig().layers : 0);
  }
  EXPECT_EQ(losses[0], losses[1]);
  for (size_t i = 0; i < gradients[0].size(); ++i) {
    EXPECT_TRUE(SameBits(gradients[0][i], gradients[1][i])) << i;
  }
}
INSTANTIATE_TEST_SUITE_P(All, QuantizedModel, testing::ValuesIn(kHows));

TEST(QuantizedBase, SaysWhichMatrixCannotBeQuantised) {
  FakeSource source(SmallConfig(), 5);
  source.values("model.layers.1.mlp.up_proj.weight")[3] = std::nanf("");
  const auto model =
      MakeLlamaModelWith(source, Precision::kFloat32, "cpu", MakeCpuKernels(), kHows[0]);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(model.status().message().find("model.layers.1.mlp.up_proj.weight: row 0, column 3"),
            std::string::npos)
      << model.status();
}

}  // namespace
}  // namespace scm::trainer
