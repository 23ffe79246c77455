// Every fast kernel of every instruction set of this machine against the plain ATen one.
#include "trainer/compute/kernels.h"

#include <ATen/Parallel.h>

#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace wide {
const CpuFunctions* Table();  // trainer/compute/cpu/functions.cc with SCM_WIDE
}
namespace wide_bf16 {
const CpuFunctions* Table();  // and with SCM_PAIRS
}
namespace {

at::Tensor Random(std::initializer_list<int64_t> shape, at::ScalarType type, uint64_t seed) {
  at::Tensor t = at::empty(at::IntArrayRef(shape), at::kFloat);
  Philox rng(seed, "kernels_test");
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  }
  return t.to(type);
}

struct Setup {
  const char* isa;
  at::ScalarType type;
};

const CpuFunctions* TableOf(const std::string& isa) {
  if (isa == "wide_bf16") return wide_bf16::Table();
  return isa == "wide" ? wide::Table() : CpuFunctionsByName(isa.c_str());
}

class KernelsTest : public ::testing::TestWithParam<Setup> {
 protected:
  void SetUp() override {
    const CpuFunctions* table = TableOf(GetParam().isa);
    if (table == nullptr) GTEST_SKIP() << "this machine cannot run " << GetParam().isa;
    EXPECT_STREQ(table->name, GetParam().isa);
    at::set_num_threads(2);  // how products are cut depends on it
    fast_ = MakeCpuKernels(table);
    plain_ = MakeAtenKernels();
    type_ = GetParam().type;
    // bf16 results may differ by one rounding (2⁻⁸) in an element.
    limit_ = type_ == at::kFloat ? 2e-6 : 4e-3;
    rounds_ = table->bf16_products && type_ == at::kBFloat16;
  }
  // The left operand of a product with a frozen matrix, as it is read.
  at::Tensor Read(const at::Tensor& t) const {
    return rounds_ ? t.to(at::kBFloat16).to(at::kFloat) : t.to(at::kFloat);
  }
  std::unique_ptr<Kernels> fast_, plain_;
  at::ScalarType type_ = at::kFloat;
  double limit_ = 0;
  bool rounds_ = false;  // products with bf16 matrices are bf16 products
};

INSTANTIATE_TEST_SUITE_P(
    All, KernelsTest,
    ::testing::Values(Setup{"baseline", at::kFloat}, Setup{"baseline", at::kBFloat16},
                      Setup{"wide", at::kFloat}, Setup{"wide", at::kBFloat16},
                      Setup{"avx2", at::kFloat}, Setup{"avx2", at::kBFloat16},
                      Setup{"avx512", at::kFloat}, Setup{"avx512", at::kBFloat16},
                      Setup{"wide_bf16", at::kFloat}, Setup{"wide_bf16", at::kBFloat16},
                      Setup{"avx512_bf16", at::kFloat}, Setup{"avx512_bf16", at::kBFloat16},
                      Setup{"amx", at::kFloat}, Setup{"amx", at::kBFloat16}),
    [](const auto& info) {
      return std::string(info.param.isa) + (info.param.type == at::kFloat ? "_f32" : "_bf16");
    });

// Shapes around the sizes of tiles and strips, some deeper than a chunk of k, two wider than a part
// of B, the last two with enough rows that the last tasks are cut into pieces.
TEST_P(KernelsTest, Linear) {
  const int64_t shapes[][3] = {{1, 1, 1},         {7, 5, 3},       {8, 48, 48},
                               {9, 49, 47},       {65, 130, 97},   {3, 2100, 50},
                               {30, 64, 145},     {130, 4100, 20}, {50, 1000, 2500},
                               {107, 3200, 1500}, {1501, 40, 50},  {1102, 1600, 60}};
  for (const auto& s : shapes) {
    const int64_t m = s[0], k = s[1], n = s[2];
    const at::Tensor x = Random({m, k}, type_, 1), w = Random({n, k}, type_, 2);
    LoraTerm lora{Random({m, 6}, at::kFloat, 3), Random({n, 6}, at::kFloat, 4), 0.7f};
    const at::Tensor residual = Random({m, n + 3}, type_, 5).narrow(1, 2, n);
    for (const LoraTerm* l : std::vector<const LoraTerm*>{nullptr, &lora}) {
      for (at::ScalarType out : {at::kFloat, type_}) {
        at::Tensor a = at::zeros({m, n + 1}, out), b = at::zeros({m, n}, at::kFloat);
        at::Tensor view = a.narrow(1, 1, n);
        fast_->Linear(x, w, l, residual, view);
        plain_->Linear(x.to(at::kFloat), w.to(at::kFloat), l, residual, b);
        EXPECT_LT(RelativeError(view, b), limit_) << m << " " << k << " " << n;
        EXPECT_EQ(a.select(1, 0).abs().max().item<float>(), 0);
      }
    }
  }
}

TEST_P(KernelsTest, LinearBackward) {
  const int64_t shapes[][3] = {{1, 1, 1}, {9, 49, 47}, {65, 130, 97}, {20, 5000, 60}};
  for (const auto& s : shapes) {
    const int64_t m = s[0], k = s[1], n = s[2];
    const at::Tensor dy = Random({m, k}, type_, 1), w = Random({k, n}, type_, 2);
    const at::Tensor dy2 = Random({m, 33}, at::kFloat, 3), w2 = Random({33, n}, type_, 4);
    at::Tensor a = at::empty({m, n}, at::kFloat), b = at::empty({m, n}, at::kFloat);
    fast_->LinearBackward({{dy, w}, {dy2, w2}}, a);
    plain_->LinearBackward({{dy.to(at::kFloat), w.to(at::kFloat)}, {Read(dy2), w2.to(at::kFloat)}},
                           b);
    EXPECT_LT(RelativeError(a, b), 2e-6) << m << " " << k << " " << n;
  }
}

TEST_P(KernelsTest, PackedMatricesGiveTheSameBits) {
  const int64_t shapes[][3] = {{1, 40, 33},      {9, 49, 47},       {65, 130, 97},
                               {50, 1000, 2500}, {107, 3200, 1500}, {1102, 1600, 60},
                               {1102, 60, 1600}};
  for (const auto& s : shapes) {
    const int64_t m = s[0], in = s[1], out = s[2];
    const at::Tensor x = Random({m, in}, type_, 1), dy = Random({m, out}, type_, 2);
    const at::Tensor w = Random({out, in}, type_, 3), w2 = Random({5, in}, type_, 4);
    LoraTerm lora{Random({m, 6}, at::kFloat, 5), Random({out, 6}, at::kFloat, 6), 0.7f};
    FrozenMatrix packed(w), narrow(w2);
    fast_->Pack(&narrow);
    EXPECT_TRUE(narrow.plain.defined());
    for (int again = 0; again < 2; ++again) fast_->Pack(&packed);
    EXPECT_EQ(packed.plain.defined(), type_ != at::kFloat && !rounds_);
    at::Tensor y[2], dx[2];
    for (int i = 0; i < 2; ++i) {
      const FrozenMatrix& matrix = i == 0 ? FrozenMatrix(w) : packed;
      y[i] = at::empty({m, out}, type_);
      fast_->Linear(x, matrix, &lora, at::Tensor(), y[i]);
      dx[i] = at::empty({m, in}, at::kFloat);
      fast_->LinearBackward({{dy, matrix}, {dy.narrow(1, 0, 5), narrow}}, dx[i]);
    }
    EXPECT_TRUE(y[0].equal(y[1])) << m << " " << in << " " << out;
    EXPECT_TRUE(dx[0].equal(dx[1])) << m << " " << in << " " << out;
    const at::Tensor rows = at::tensor(std::vector<int64_t>{out - 1, 0, out / 2, 0}, at::kLong);
    at::Tensor some = at::empty({4, in}, type_);
    fast_->Rows(packed, rows, some);
    EXPECT_TRUE(some.equal(w.index_select(0, rows))) << in << " " << out;
  }
}

// Whatever stands in the other rows, and however many rows and threads there are.
TEST_P(KernelsTest, ARowDoesNotDependOnTheOthers) {
  const int64_t all = 1102, in = 300, out = 145;
  const at::Tensor x = Random({all, in}, type_, 1), dy = Random({all, out}, at::kFloat, 2);
  LoraTerm lora{Random({all, 6}, at::kFloat, 3), Random({out, 6}, at::kFloat, 4), 0.7f};
  FrozenMatrix w(Random({out, in}, type_, 5));
  fast_->Pack(&w);
  at::Tensor y = at::empty({all, out}, type_), dx = at::empty({all, in}, at::kFloat);
  fast_->Linear(x, w, &lora, at::Tensor(), y);
  fast_->LinearBackward({{dy, w}}, dx);
  for (int64_t begin : {0, 1, 501}) {
    at::set_num_threads(begin == 0 ? 1 : 3);
    for (int64_t rows : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 130, 601}) {
      LoraTerm part{lora.u.narrow(0, begin, rows), lora.b, lora.scale};
      at::Tensor some = at::empty({rows, out}, type_), back = at::empty({rows, in}, at::kFloat);
      fast_->Linear(x.narrow(0, begin, rows), w, &part, at::Tensor(), some);
      fast_->LinearBackward({{dy.narrow(0, begin, rows), w}}, back);
      EXPECT_TRUE(SameBits(some, y.narrow(0, begin, rows))) << begin << " " << rows;
      EXPECT_TRUE(SameBits(back, dx.narrow(0, begin, rows))) << begin << " " << rows;
    }
  }
}

// The low-rank parts of several runs over one frozen product; and of rows without one.
TEST_P(KernelsTest, RowBlocksHaveTheBitsOfALinearOfTheirOwn) {
  using Pairs = std::vector<std::pair<int64_t, int64_t>>;
  for (const auto& [in, out] : Pairs{{300, 145}, {1601, 97}, {40, 12}}) {
    FrozenMatrix w(Random({out, in}, type_, 5));
    fast_->Pack(&w);
    std::vector<LoraBlock> blocks;
    int64_t all = 0;
    for (const auto& [rows, r] : Pairs{{37, 6}, {1, 16}, {130, 0}, {64, 1}, {9, 33}}) {
      LoraBlock& block = blocks.emplace_back();
      block.begin = all;
      block.rows = rows;
      all += rows;
      if (r == 0) continue;
      block.term = {Random({rows, r}, at::kFloat, static_cast<uint64_t>(3 + all)),
                    Random({out, r}, at::kFloat, static_cast<uint64_t>(4 + all)), 0.7f};
    }
    const at::Tensor x = Random({all, in}, type_, 1), residual = Random({all, out}, type_, 2);
    for (const bool adds : {false, true}) {
      at::Tensor y = at::empty({all, out}, type_);
      fast_->LinearOfBlocks(x, w, blocks, adds ? residual : at::Tensor(), y);
      for (const LoraBlock& block : blocks) {
        const auto rows = [&](const at::Tensor& t) { return t.narrow(0, block.begin, block.rows); };
        at::Tensor own = at::empty({block.rows, out}, type_);
        fast_->Linear(rows(x), w, block.term.u.defined() ? &block.term : nullptr,
                      adds ? rows(residual) : at::Tensor(), own);
        EXPECT_TRUE(SameBits(own, rows(y))) << in << " " << block.begin << " " << adds;
      }
    }
  }
}

TEST_P(KernelsTest, LoraWithDropout) {
  for (int64_t r : {1, 8, 16, 19}) {
    const int64_t m = 141, in = 75, out = 52;
    const Dropout d = MakeDropout(0.3, 11, 2, 1, 3, 4);
    const at::Tensor x = Random({m, in}, type_, 1), dy = Random({m, out}, type_, 2);
    const at::Tensor a = Random({r, in}, at::kFloat, 3), b = Random({out, r}, at::kFloat, 4);
    struct Results {
      at::Tensor u, du, grad_a, grad_b, dx;
    } fast, plain;
    for (Results* result : {&fast, &plain}) {
      Kernels* k = result == &fast ? fast_.get() : plain_.get();
      result->u = at::empty({m, r}, at::kFloat);
      result->du = at::empty({m, r}, at::kFloat);
      result->grad_a = Random({r, in}, at::kFloat, 5);
      result->grad_b = Random({out, r}, at::kFloat, 6);
      result->dx = Random({m, in}, at::kFloat, 7);
      k->LoraDown(x, a, d, result->u);
      k->LoraUpBackward(dy, b, 0.5f, result->du);
      k->LoraGradients(dy, result->u, 0.5f, result->du, x, d, result->grad_a, result->grad_b);
      k->LoraDownBackward(result->du, a, d, result->dx);
    }
    EXPECT_LT(RelativeError(fast.u, plain.u), 2e-6);
    EXPECT_LT(RelativeError(fast.du, plain.du), 2e-6);
    EXPECT_LT(RelativeError(fast.grad_a, plain.grad_a), 2e-6);
    EXPECT_LT(RelativeError(fast.grad_b, plain.grad_b), 2e-6);
    EXPECT_LT(RelativeError(fast.dx, plain.dx), 2e-6);
  }
}

TEST_P(KernelsTest, Norm) {
  for (int64_t n : {1, 15, 16, 17, 576}) {
    const at::Tensor x = Random({13, n}, type_, 1), w = Random({n}, type_, 2);
    at::Tensor a = at::empty({13, n}, type_), b = at::empty({13, n}, type_);
    fast_->RmsNorm(x, w, 1e-5, a);
    plain_->RmsNorm(x, w, 1e-5, b);
    EXPECT_LT(RelativeError(a, b), limit_) << n;
    for (at::ScalarType dtype : {at::kFloat, type_}) {
      const at::Tensor dy = Random({13, n}, dtype, 3);
      at::Tensor da = Random({13, n}, at::kFloat, 4), db = da.clone();
      fast_->RmsNormBackward(dy, x, w, 1e-5, da);
      plain_->RmsNormBackward(dy, x, w, 1e-5, db);
      EXPECT_LT(RelativeError(da, db), 1e-5) << n;
    }
  }
}

TEST_P(KernelsTest, Rope) {
  const int64_t heads = 3, d = 42, rows = 9;
  const at::Tensor positions = at::arange(rows, at::kInt);
  const at::Tensor cos = Random({rows, d / 2}, at::kFloat, 1);
  const at::Tensor sin = Random({rows, d / 2}, at::kFloat, 2);
  for (bool inverse : {false, true}) {
    at::Tensor a = Random({rows, 5 * d}, type_, 3), b = a.clone();
    fast_->Rope(a, heads, d, positions, cos, sin, inverse);
    plain_->Rope(b, heads, d, positions, cos, sin, inverse);
    EXPECT_LT(RelativeError(a, b), limit_);
  }
}

TEST_P(KernelsTest, Attention) {
  const struct {
    int64_t heads, kv_heads, d;
  } shapes[] = {{1, 1, 2}, {6, 2, 20}, {4, 4, 64}, {3, 1, 33}};
  for (const auto& s : shapes) {
    const AttentionShape shape{s.heads, s.kv_heads, s.d};
    const std::vector<TokenSpan> documents = {{0, 70, 0, 0}, {70, 1, 0, 0}, {71, 130, 0, 0}};
    const int64_t tokens = 201, width = (s.heads + 2 * s.kv_heads) * s.d;
    const at::Tensor qkv = Random({tokens, width}, type_, 1);
    const at::Tensor grad = Random({tokens, s.heads * s.d}, type_, 2);
    at::Tensor out[2], lse[2], dqkv[2];
    for (int i = 0; i < 2; ++i) {
      Kernels* k = i == 0 ? fast_.get() : plain_.get();
      out[i] = at::empty({tokens, s.heads * s.d}, type_);
      lse[i] = at::empty({s.heads, tokens}, at::kFloat);
      dqkv[i] = at::empty({tokens, width}, type_);
      k->Attention(qkv, shape, documents, out[i], lse[i]);
      k->AttentionBackward(qkv, out[0], lse[i], grad, shape, documents, dqkv[i]);
    }
    EXPECT_LT(RelativeError(out[0], out[1]), limit_);
    EXPECT_LT(RelativeError(lse[0], lse[1]), 2e-6);
    EXPECT_LT(RelativeError(dqkv[0], dqkv[1]), limit_ * 2);
  }
}

TEST_P(KernelsTest, AttentionOverASharedPrefix) {
  const AttentionShape shape{4, 2, 24};
  const std::vector<TokenSpan> documents = {{0, 45, 0, 0}, {45, 3, 0, 45}, {48, 70, 0, 45}};
  const at::Tensor qkv = Random({118, 8 * 24}, type_, 1);
  at::Tensor a = at::empty({118, 4 * 24}, type_), b = at::empty({118, 4 * 24}, type_), none;
  fast_->Attention(qkv, shape, documents, a, none);
  plain_->Attention(qkv, shape, documents, b, none);
  EXPECT_LT(RelativeError(a, b), limit_);
}

TEST_P(KernelsTest, SwiGlu) {
  for (int64_t n : {5, 16, 4099}) {
    const at::Tensor gate = Random({1, n}, type_, 1) * 4, up = Random({1, n}, type_, 2);
    const at::Tensor dact = Random({1, n}, type_, 3);
    at::Tensor a = at::empty_like(gate), b = at::empty_like(gate);
    fast_->SwiGlu(gate, up, a);
    plain_->SwiGlu(gate, up, b);
    EXPECT_LT(RelativeError(a, b), limit_);
    at::Tensor ga = gate.clone(), ua = up.clone(), gb = gate.clone(), ub = up.clone();
    fast_->SwiGluBackward(dact, ga, ua);
    plain_->SwiGluBackward(dact, gb, ub);
    EXPECT_LT(RelativeError(ga, gb), limit_);
    EXPECT_LT(RelativeError(ua, ub), limit_);
  }
}

TEST_P(KernelsTest, LossAndArgMax) {
  for (int64_t n : {1, 7, 64, 1001}) {
    const at::Tensor logits = Random({11, n}, at::kFloat, 1) * 10;
    at::Tensor labels = at::arange(11, at::kLong).remainder(n);
    labels[4] = -1;  // a row without a label
    at::Tensor a = logits.clone(), b = logits.clone();
    at::Tensor la = at::empty({11}, at::kFloat), lb = at::empty({11}, at::kFloat);
    fast_->CrossEntropy(a, labels, 0.25, la);
    plain_->CrossEntropy(b, labels, 0.25, lb);
    EXPECT_LT((la - lb).abs().max().item<double>(), 1e-5);
    EXPECT_LT((a - b).abs().max().item<double>(), 1e-6);
    EXPECT_EQ(la[4].item<float>(), 0);
    EXPECT_EQ(a[4].abs().max().item<float>(), 0);
    at::Tensor sa = at::empty({11}, at::kFloat), sb = at::empty({11}, at::kFloat);
    at::Tensor ia = at::empty({11}, at::kLong), ib = at::empty({11}, at::kLong);
    fast_->LogSumExp(logits, sa, ia);
    plain_->LogSumExp(logits, sb, ib);
    EXPECT_LT((sa - sb).abs().max().item<double>(), 1e-5);
    EXPECT_TRUE(SameBits(ia, ib));
  }
}

// Large and small logits: no overflow, and the gradient of a row sums to zero.
TEST_P(KernelsTest, LossOfExtremeLogits) {
  at::Tensor logits = at::zeros({2, 40}, at::kFloat);
  logits[0][3] = 5000;
  logits[1].fill_(-3000);
  at::Tensor losses = at::empty({2}, at::kFloat);
  fast_->CrossEntropy(logits, at::tensor({3, 0}, at::kLong), 1, losses);
  EXPECT_NEAR(losses[0].item<double>(), 0, 1e-6);
  EXPECT_NEAR(losses[1].item<double>(), std::log(40.0), 1e-3);
  EXPECT_LT(logits.sum(1).abs().max().item<double>(), 1e-5);
}

TEST(DropoutMask, RateAndIndependence) {
  const Dropout d = MakeDropout(0.1, 1, 2, 3, 4, 5), e = MakeDropout(0.1, 1, 2, 3, 4, 6);
  int64_t dropped = 0, both = 0;
  const int64_t rows = 200, columns = 1000;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const bool x = DropoutFactor(d, r, c) == 0, y = DropoutFactor(e, r, c) == 0;
      dropped += x;
      both += x && y;
      if (!x) {
        ASSERT_FLOAT_EQ(DropoutFactor(d, r, c), 1 / 0.9f);
      }
    }
  }
  // 5 σ of the binomial counts.
  EXPECT_NEAR(static_cast<double>(dropped) / (rows * columns), 0.1, 0.0034);
  EXPECT_NEAR(static_cast<double>(both) / (rows * columns), 0.01, 0.0012);
  EXPECT_FALSE(MakeDropout(0, 1, 2, 3, 4, 5).active());
  EXPECT_EQ(DropoutFactor(MakeDropout(0, 1, 2, 3, 4, 5), 3, 4), 1);
}

}  // namespace
}  // namespace scm::trainer
