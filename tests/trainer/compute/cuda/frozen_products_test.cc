// Products with frozen matrices by the class that a GPU runs: quantised ones tile by tile, with the
// bits of the CPU's, and which memory a call asks for.
#include <ATen/Context.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include "tests/trainer/compute/cuda/make_emulated.h"
#include "tests/trainer/compute/support.h"
#include "trainer/compute/cuda/device_buffers.h"
#include "trainer/compute/cuda/product_precision.h"

namespace scm::trainer {
namespace {

using Kind = BaseQuantization::Kind;

at::Tensor NormalOf(at::IntArrayRef shape, at::ScalarType type, uint64_t seed) {
  at::Tensor t = at::empty(shape, at::kFloat);
  Philox rng(seed, "frozen_products_test");
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  }
  return t.to(type);
}

FrozenMatrix QuantizedNoise(int64_t out, int64_t in, const BaseQuantization& how,
                            at::ScalarType type) {
  const at::Tensor w = NormalOf({out, in}, at::kFloat, 3);
  auto matrix = QuantizedMatrix::Make(w.const_data_ptr<float>(), out, in, how);
  EXPECT_TRUE(matrix.ok()) << matrix.status();
  return FrozenMatrix(std::make_shared<const QuantizedMatrix>(*std::move(matrix)), type);
}

at::Tensor RestoredByTheCpu(const FrozenMatrix& w) {
  at::Tensor out = at::empty({w.out, w.in}, w.type);
  for (int64_t row = 0; row < w.out; ++row) {
    if (w.type == at::kFloat) {
      w.quantized->Read(row, 0, w.in, out.mutable_data_ptr<float>() + row * w.in);
    } else {
      w.quantized->ReadBFloat16(row, 0, w.in,
                                static_cast<uint16_t*>(out.mutable_data_ptr()) + row * w.in);
    }
  }
  return out;
}

const BaseQuantization kWays[] = {{Kind::kNf4, true}, {Kind::kNf4, false}, {Kind::kInt8, true}};

// A product with the identity is the matrix. Rows of odd length start in the middle of a byte and
// of a block; 300 blocks have two scales of scales.
TEST(FrozenProducts, QuantizedMatricesAreRestoredWithTheBitsOfTheCpu) {
  const Emulated own = MakeEmulated(7, /*tile_elements=*/64);
  ASSERT_EQ(own.said, "");
  for (const auto& [out, in] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {1, 1}, {3, 5}, {67, 33}, {130, 77}, {151, 130}, {5, 300}}) {
    for (const BaseQuantization& how : kWays) {
      for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        SCOPED_TRACE(testing::Message() << out << " × " << in << ", " << QuantizationName(how));
        FrozenMatrix w = QuantizedNoise(out, in, how, type);
        own.kernels->Pack(&w);
        ASSERT_TRUE(w.packed.defined());
        const at::Tensor wanted = RestoredByTheCpu(w);
        at::Tensor y = at::empty({in, out}, type), dx = at::empty({out, in}, type);
        own.kernels->Linear(at::eye(in, type), w, nullptr, at::Tensor(), y);
        EXPECT_TRUE(SameBits(y.t(), wanted));
        own.kernels->LinearBackward({{at::eye(out, type), w}}, dx);
        EXPECT_TRUE(SameBits(dx, wanted));
      }
    }
  }
}

// Weak blocks beside strong ones, and rows and blocks of zeros.
TEST(FrozenProducts, RestoresExtremeScales) {
  const Emulated own = MakeEmulated();
  at::Tensor values = NormalOf({40, 70}, at::kFloat, 5);
  values.narrow(0, 0, 10).mul_(1e-30);
  values.narrow(0, 10, 10).mul_(3e4);
  values.narrow(0, 30, 5).zero_();
  for (const BaseQuantization& how : kWays) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      auto matrix = QuantizedMatrix::Make(values.const_data_ptr<float>(), 40, 70, how);
      FrozenMatrix w(std::make_shared<const QuantizedMatrix>(*std::move(matrix)), type);
      own.kernels->Pack(&w);
      at::Tensor dx = at::empty({40, 70}, type);
      own.kernels->LinearBackward({{at::eye(40, type), w}}, dx);
      EXPECT_TRUE(SameBits(dx, RestoredByTheCpu(w))) << QuantizationName(how);
    }
  }
}

// With everything that a product can come with, cut into tiles.
TEST(FrozenProducts, OfQuantizedMatricesAgreeWithTheReference) {
  const Emulated own = MakeEmulated(7, /*tile_elements=*/64);
  const auto plain = MakeAtenKernels();
  const int64_t m = 9, in = 150, out = 201;
  for (const BaseQuantization& how : kWays) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      FrozenMatrix w = QuantizedNoise(out, in, how, type);
      const FrozenMatrix unpacked = w;
      own.kernels->Pack(&w);
      const LoraTerm lora{NormalOf({m, 6}, at::kFloat, 5), NormalOf({out, 6}, at::kFloat, 6), 0.7f};
      const at::Tensor x = NormalOf({m, in}, type, 7), residual = NormalOf({m, out}, type, 8);
      const at::Tensor dy = NormalOf({m, out}, type, 9), wide = NormalOf({m, out}, at::kFloat, 10);
      at::Tensor y[3], dx[2];
      for (at::Tensor& t : y) t = residual.clone();
      for (at::Tensor& t : dx) t = at::empty({m, in}, at::kFloat);
      own.kernels->Linear(x, w, &lora, residual, y[0]);
      own.kernels->Linear(x, w, &lora, y[1], y[1]);
      plain->Linear(x, unpacked, &lora, residual, y[2]);
      own.kernels->LinearBackward({{dy, w}, {wide, w}}, dx[0]);
      plain->LinearBackward({{dy, unpacked}, {wide, unpacked}}, dx[1]);
      const double allowed = type == at::kFloat ? 1e-5 : 4e-3;
      EXPECT_TRUE(SameBits(y[0], y[1]));
      EXPECT_LT(RelativeError(y[0], y[2]), allowed);
      EXPECT_LT(RelativeError(dx[0], dx[1]), allowed);
    }
  }
}

// Sums in fp32, operands and results rounded once: what the reference makes of the rounded
// gradient.
TEST(FrozenProducts, RoundAnFp32GradientOnce) {
  const Emulated own = MakeEmulated();
  const auto plain = MakeAtenKernels();
  const FrozenMatrix w(NormalOf({300, 70}, at::kBFloat16, 1)),
      other(NormalOf({41, 70}, at::kBFloat16, 2));
  const at::Tensor wide = NormalOf({20, 300}, at::kFloat, 3);
  const at::Tensor dy = NormalOf({20, 41}, at::kBFloat16, 4);
  at::Tensor sum = at::empty({20, 70}, at::kFloat), narrow = at::empty({20, 70}, at::kBFloat16);
  at::Tensor exact = at::empty({20, 70}, at::kFloat);
  own.kernels->LinearBackward({{wide, w}, {dy, other}}, sum);
  plain->LinearBackward({{wide.to(at::kBFloat16).to(at::kFloat), w}, {dy.to(at::kFloat), other}},
                        exact);
  EXPECT_LT(RelativeError(sum, exact), 1e-6);
  own.kernels->LinearBackward({{wide, w}}, narrow);
  plain->LinearBackward({{wide, w}}, exact);
  EXPECT_LT(RelativeError(narrow, exact), 4e-3);
  at::Tensor logits = at::empty({20, 300}, at::kFloat);
  const at::Tensor x = NormalOf({20, 70}, at::kBFloat16, 5);
  own.kernels->Linear(x, w, nullptr, at::Tensor(), logits);
  EXPECT_LT(RelativeError(logits, at::mm(x.to(at::kFloat), w.plain.t().to(at::kFloat))), 1e-6);
}

TEST(ProductPrecision, Tf32IsForGpusAndTheirProductsAlone) {
  const absl::Status refused = SetProductPrecision(PrecisionByName("tf32"), at::kCPU);
  EXPECT_EQ(
      std::string(refused.message()),
      "training.precision: tf32 is how GPUs multiply fp32, and this run is on a CPU: use fp32, "
      "or set resources.gpus");
  const FakeSource source(SmallConfig(), 1);
  EXPECT_EQ(MakeLlamaModel(source, Precision::kTf32, "cpu").status(), refused);
  const at::Device gpu("cuda:0");
  EXPECT_TRUE(SetProductPrecision(PrecisionByName("tf32"), gpu).ok());
  EXPECT_EQ(at::globalContext().float32MatmulPrecision(), at::Float32MatmulPrecision::HIGH);
  {
    const FullFloat32Products full;
    EXPECT_EQ(at::globalContext().float32MatmulPrecision(), at::Float32MatmulPrecision::HIGHEST);
  }
  EXPECT_EQ(at::globalContext().float32MatmulPrecision(), at::Float32MatmulPrecision::HIGH);
  EXPECT_TRUE(SetProductPrecision(PrecisionByName("fp32"), gpu).ok());
  EXPECT_EQ(at::globalContext().float32MatmulPrecision(), at::Float32MatmulPrecision::HIGHEST);
}

TEST(DeviceBuffers, KeepTheirPlaceUntilTheyAreTooSmall) {
  DeviceBuffers buffers(at::kCPU);
  const at::Tensor first = buffers.Get(DeviceBuffers::kTile, {3, 5}, at::kFloat);
  EXPECT_EQ(first.count_nonzero().item<int64_t>(), 0);
  first.fill_(7);
  const at::Tensor smaller = buffers.Get(DeviceBuffers::kTile, {2, 2}, at::kBFloat16);
  EXPECT_EQ(smaller.const_data_ptr(), first.const_data_ptr());
  const void* const other =
      buffers.Get(DeviceBuffers::kProduct, {3, 5}, at::kFloat).const_data_ptr();
  EXPECT_NE(other, first.const_data_ptr());
  const at::Tensor larger = buffers.Get(DeviceBuffers::kTile, {30, 5}, at::kFloat);
  EXPECT_EQ(larger.count_nonzero().item<int64_t>(), 0);
  larger.fill_(1);
  EXPECT_EQ(first[0][0].item<float>(), 7) << "what was recorded before still reads it";
}

// Operators that were called while one of these lives.
class CalledOperators {
 public:
  CalledOperators() {
    Names().clear();
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(
        [](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
          Names().insert(call.name());
          return nullptr;
        }));
  }
  ~CalledOperators() { at::removeCallback(handle_); }
  static std::set<std::string>& Names() {
    static std::set<std::string> names;
    return names;
  }

 private:
  at::CallbackHandle handle_;
};

TEST(FrozenProducts, NothingIsAllocatedTheSecondTime) {
  Emulated own = MakeEmulated(7, /*tile_elements=*/64);
  const int64_t m = 300, in = 600, out = 70;
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    FrozenMatrix w(NormalOf({out, in}, type, 1)), codes = QuantizedNoise(out, in, kWays[0], type);
    own.kernels->Pack(&codes);
    const at::Tensor x = NormalOf({m, in}, type, 2), wide = NormalOf({m, out}, at::kFloat, 3);
    at::Tensor y = NormalOf({m, out}, type, 4), dx = at::empty({m, in}, type);
    std::vector<AdapterRows> adapter(1);
    adapter[0].rows = m;
    adapter[0].a = NormalOf({6, in}, at::kFloat, 5);
    adapter[0].b = NormalOf({out, 6}, at::kFloat, 6);
    adapter[0].u = at::empty({m, 6}, at::kFloat);
    adapter[0].du = at::empty({m, 6}, at::kFloat);
    adapter[0].grad_a = at::zeros({6, in}, at::kFloat);
    adapter[0].grad_b = at::zeros({out, 6}, at::kFloat);
    const LoraTerm lora{adapter[0].u, adapter[0].b, 1};
    const auto all = [&] {
      own.kernels->LoraDownOfBlocks(x, adapter);
      for (const FrozenMatrix& one : {w, codes}) {
        own.kernels->Linear(x, one, &lora, y, y);
        own.kernels->LinearBackward({{y, one}, {wide, one}}, dx);
      }
      own.kernels->LoraBackwardOfBlocks(wide, x, adapter, &dx);
    };
    all();
    const CalledOperators called;
    all();
    for (const char* allocates :
         {"aten::empty", "aten::empty_strided", "aten::zeros", "aten::to", "aten::_to_copy",
          "aten::clone", "aten::contiguous", "aten::item"}) {
      EXPECT_FALSE(called.Names().contains(allocates)) << allocates;
    }
    EXPECT_TRUE(called.Names().contains("aten::addmm_"));
  }
}

}  // namespace
}  // namespace scm::trainer
