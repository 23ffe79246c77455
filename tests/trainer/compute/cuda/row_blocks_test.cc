// Several runs in one pass: the low-rank operations of all row blocks in one launch, with the bits
// that each block has alone.
#include <gtest/gtest.h>

#include "tests/trainer/compute/cuda/make_emulated.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

at::Tensor NoiseOf(at::IntArrayRef shape, at::ScalarType type, uint64_t seed) {
  at::Tensor t = at::empty(shape, at::kFloat);
  Philox rng(seed, "row_blocks_test");
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng.Normal());
  }
  return t.to(type);
}
// Sums of small whole numbers are exact in any order, so products have the same bits however they
// are made.
at::Tensor WholeNumbers(at::IntArrayRef shape, at::ScalarType type, uint64_t seed) {
  return NoiseOf(shape, at::kFloat, seed).mul(2).round().to(type);
}

struct BlockShape {
  int64_t rows, rank;  // rank 0: no adapter
};

// Adapters of blocks that follow each other, each with a mask of its own.
std::vector<AdapterRows> MakeAdapters(const std::vector<BlockShape>& shapes, int64_t in,
                                      int64_t out) {
  std::vector<AdapterRows> adapters;
  int64_t begin = 0;
  uint64_t seed = 50;
  for (const BlockShape& shape : shapes) {
    if (shape.rank > 0) {
      AdapterRows& one = adapters.emplace_back();
      one.begin = begin;
      one.rows = shape.rows;
      one.a = NoiseOf({shape.rank, in}, at::kFloat, ++seed);
      one.b = NoiseOf({out, shape.rank}, at::kFloat, ++seed);
      one.u = at::full({shape.rows, shape.rank}, NAN, at::kFloat);
      one.du = at::full({shape.rows, shape.rank}, NAN, at::kFloat);
      one.scale = 0.5f + static_cast<float>(adapters.size());
      one.dropout = MakeDropout(0.1 * static_cast<double>(adapters.size() % 4), seed, 3, 0, 1, 2);
      one.dropout.first_row = static_cast<uint32_t>(seed * 13);
      one.grad_a = NoiseOf({shape.rank, in}, at::kFloat, ++seed);
      one.grad_b = NoiseOf({out, shape.rank}, at::kFloat, ++seed);
    }
    begin += shape.rows;
  }
  return adapters;
}

struct BlockResults {
  std::vector<AdapterRows> adapters;
  at::Tensor y, sum, dx;
};

// The forward and the backward pass of one layer, all blocks together or one after the other.
BlockResults RunLayer(Kernels& kernels, const std::vector<BlockShape>& shapes, bool together,
                      at::ScalarType type, int64_t in, int64_t out) {
  int64_t rows = 0;
  for (const BlockShape& shape : shapes) rows += shape.rows;
  const at::Tensor x = WholeNumbers({rows, in}, type, 1), dy = NoiseOf({rows, out}, at::kFloat, 2);
  const at::Tensor residual = NoiseOf({rows, out}, type, 4);
  const FrozenMatrix w(WholeNumbers({out, in}, type, 3));
  BlockResults r;
  r.adapters = MakeAdapters(shapes, in, out);
  r.y = at::full({rows, out}, NAN, type);
  r.sum = at::full({rows, out}, NAN, type);
  r.dx = NoiseOf({rows, in}, at::kFloat, 5);
  if (together) {
    kernels.LoraDownOfBlocks(x, r.adapters);
  } else {
    kernels.Kernels::LoraDownOfBlocks(x, r.adapters);
  }
  std::vector<LoraBlock> blocks;
  auto next = r.adapters.begin();
  int64_t begin = 0;
  for (const BlockShape& shape : shapes) {
    LoraBlock& block = blocks.emplace_back();
    block.begin = begin;
    block.rows = shape.rows;
    begin += shape.rows;
    if (shape.rank == 0) continue;
    block.term = {next->u, next->b, next->scale};
    ++next;
  }
  if (together) {
    kernels.LinearOfBlocks(x, w, blocks, at::Tensor(), r.y);
    kernels.LinearOfBlocks(x, w, blocks, residual, r.sum);
    kernels.LoraBackwardOfBlocks(dy, x, r.adapters, &r.dx);
  } else {
    kernels.Kernels::LinearOfBlocks(x, w, blocks, at::Tensor(), r.y);
    kernels.Kernels::LinearOfBlocks(x, w, blocks, residual, r.sum);
    kernels.Kernels::LoraBackwardOfBlocks(dy, x, r.adapters, &r.dx);
  }
  return r;
}

void ExpectSameResults(const BlockResults& a, const BlockResults& b) {
  EXPECT_TRUE(SameBits(a.y, b.y));
  EXPECT_TRUE(SameBits(a.sum, b.sum));
  EXPECT_TRUE(SameBits(a.dx, b.dx));
  for (size_t i = 0; i < a.adapters.size(); ++i) {
    const AdapterRows &one = a.adapters[i], &other = b.adapters[i];
    EXPECT_TRUE(SameBits(one.u, other.u)) << "u of block " << i;
    EXPECT_TRUE(SameBits(one.du, other.du)) << "du of block " << i;
    EXPECT_TRUE(SameBits(one.grad_a, other.grad_a)) << "grad_a of block " << i;
    EXPECT_TRUE(SameBits(one.grad_b, other.grad_b)) << "grad_b of block " << i;
  }
}

// Around tiles, warps and parts of sums; blocks without an adapter or rows; more than a table has.
std::vector<std::vector<BlockShape>> Shapes() {
  std::vector<std::vector<BlockShape>> shapes = {
      {{33, 5}},
      {{1, 1}, {31, 16}, {32, 17}, {65, 3}},
      {{9, 0}, {40, 4}, {0, 3}, {7, 0}, {8, 40}},
      {{300, 6}, {20, 3}, {515, 2}},
  };
  std::vector<BlockShape>& many = shapes.emplace_back();
  for (int64_t i = 0; i < 70; ++i) many.push_back({1 + i % 3, 1 + i % 5});
  return shapes;
}

TEST(RowBlocks, HaveTheBitsThatEachHasAlone) {
  const Emulated together = MakeEmulated(1), alone = MakeEmulated(2);
  for (const std::vector<BlockShape>& shapes : Shapes()) {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(testing::Message() << shapes.size() << " blocks");
      ExpectSameResults(RunLayer(*together.kernels, shapes, true, type, 70, 37),
                        RunLayer(*alone.kernels, shapes, false, type, 70, 37));
    }
  }
}

// Sums long enough for several parts in both directions.
TEST(RowBlocks, OfLongSumsHaveTheBitsThatEachHasAlone) {
  const std::vector<BlockShape> shapes = {{3, 2}, {270, 3}, {34, 18}};
  const Emulated together = MakeEmulated(1), alone = MakeEmulated(2);
  ExpectSameResults(RunLayer(*together.kernels, shapes, true, at::kFloat, 1030, 40),
                    RunLayer(*alone.kernels, shapes, false, at::kFloat, 1030, 40));
}

TEST(RowBlocks, AgreeWithTheReference) {
  const Emulated own = MakeEmulated(3);
  const auto plain = MakeAtenKernels();
  for (const std::vector<BlockShape>& shapes : Shapes()) {
    const BlockResults a = RunLayer(*own.kernels, shapes, true, at::kFloat, 530, 37);
    const BlockResults b = RunLayer(*plain, shapes, true, at::kFloat, 530, 37);
    EXPECT_LT(RelativeError(a.y, b.y), 1e-5);
    EXPECT_LT(RelativeError(a.sum, b.sum), 1e-5);
    EXPECT_LT(RelativeError(a.dx, b.dx), 1e-5);
    for (size_t i = 0; i < a.adapters.size(); ++i) {
      if (a.adapters[i].rows == 0) continue;
      EXPECT_LT(RelativeError(a.adapters[i].u, b.adapters[i].u), 1e-5);
      EXPECT_LT(RelativeError(a.adapters[i].du, b.adapters[i].du), 1e-5);
      EXPECT_LT(RelativeError(a.adapters[i].grad_a, b.adapters[i].grad_a), 1e-5);
      EXPECT_LT(RelativeError(a.adapters[i].grad_b, b.adapters[i].grad_b), 1e-5);
    }
  }
}

// One launch where the blocks fit a table.
TEST(RowBlocks, ShareALaunch) {
  class CountingLauncher : public EmulatedLauncher {
   public:
    explicit CountingLauncher(int* launches) : EmulatedLauncher(1), launches_(launches) {}
    absl::Status Launch(const char* kernel, Grid grid, const void* arguments) override {
      ++*launches_;
      return EmulatedLauncher::Launch(kernel, grid, arguments);
    }

   private:
    int* launches_;
  };
  int launches = 0;
  std::string said;
  const auto kernels =
      MakeCudaKernels(std::make_unique<CountingLauncher>(&launches), at::kCPU, &said);
  for (const int64_t blocks : {1, 5, 32, 33}) {
    launches = 0;
    RunLayer(*kernels, std::vector<BlockShape>(static_cast<size_t>(blocks), {2, 3}), true,
             at::kFloat, 20, 10);
    // Down; up twice; up-backward, two gradients, down-backward.
    EXPECT_EQ(launches, 7 * (blocks > 32 ? 2 : 1)) << blocks << " blocks";
  }
}

}  // namespace
}  // namespace scm::trainer
