// The optimiser's kernels, emulated, against trainer/loop/adamw.h run by run.
#include "trainer/compute/cuda/flat_adamw.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>

#include "common/rng.h"
#include "tests/trainer/compute/cuda/emulated_kernels.h"
#include "trainer/loop/adamw.h"

namespace scm::trainer {
namespace {

at::Tensor NormalRow(int64_t count, Philox* rng) {
  at::Tensor t = at::empty({count}, at::kFloat);
  for (int64_t i = 0; i < count; ++i) {
    t.mutable_data_ptr<float>()[i] = static_cast<float>(rng->Normal());
  }
  return t;
}

device::AdamWNumbers NumbersOf(const AdamWConfig& c, int64_t update, double rate, double max_norm) {
  const double t = static_cast<double>(update);
  return {static_cast<float>(1 - c.beta1),
          static_cast<float>(c.beta2),
          static_cast<float>(1 - c.beta2),
          static_cast<float>(c.epsilon),
          static_cast<float>(1 - rate * c.weight_decay),
          static_cast<float>(rate / (1 - std::pow(c.beta1, t))),
          static_cast<float>(1 / std::sqrt(1 - std::pow(c.beta2, t))),
          max_norm};
}

struct FlatRun {
  int64_t size;
  double rate, max_norm, weight_decay;
};

TEST(FlatAdamW, UpdatesEveryRunAsAdamWDoes) {
  // Odd sizes, one longer than a block's share; clipped, hardly clipped, not clipped.
  const std::vector<FlatRun> runs = {
      {1, 1e-3, 1, 0}, {1000, 2e-4, 0.5, 0.01}, {70001, 1e-2, 0, 0.1}, {257, 1e-4, 1e6, 0}};
  const uint64_t seed = 1;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Philox rng(seed, "flat_adamw_test");
  std::vector<int64_t> offsets = {0};
  for (const FlatRun& run : runs) offsets.push_back(offsets.back() + run.size);
  EmulatedLauncher launcher(seed);
  FlatAdamW flat(&launcher, offsets, at::kCPU);
  flat.parameters().copy_(NormalRow(offsets.back(), &rng));
  std::vector<std::vector<AdapterPair>> pairs(runs.size());
  std::vector<std::unique_ptr<AdamW>> plain;
  for (size_t i = 0; i < runs.size(); ++i) {
    AdapterPair pair;
    pair.a = flat.parameters().narrow(0, offsets[i], runs[i].size).clone();
    pair.grad_a = at::zeros_like(pair.a);
    pair.b = at::zeros({0});
    pair.grad_b = at::zeros({0});
    pairs[i].push_back(pair);
    AdamWConfig config;
    config.weight_decay = runs[i].weight_decay;
    plain.push_back(std::make_unique<AdamW>(pairs[i], config));
  }
  for (int64_t step = 1; step <= 2; ++step) {
    flat.gradients().copy_(NormalRow(offsets.back(), &rng));
    ASSERT_TRUE(flat.QueueSquares().ok());
    std::vector<device::AdamWNumbers> numbers;
    for (size_t i = 0; i < runs.size(); ++i) {
      const FlatRun& run = runs[i];
      pairs[i][0].grad_a.copy_(flat.gradients().narrow(0, offsets[i], run.size));
      const double norm = GradientNorm(plain[i]->slots());
      EXPECT_NEAR(std::sqrt(flat.squares()[static_cast<int64_t>(i)].item<double>()), norm,
                  1e-12 * norm);
      plain[i]->Step(run.rate, ClipScale(norm, run.max_norm));
      AdamWConfig config;
      config.weight_decay = run.weight_decay;
      numbers.push_back(NumbersOf(config, step, run.rate, run.max_norm));
    }
    ASSERT_TRUE(flat.QueueStep(numbers).ok());
    for (size_t i = 0; i < runs.size(); ++i) {
      const auto part = [&](const at::Tensor& t) { return t.narrow(0, offsets[i], runs[i].size); };
      const AdamW::Slot& slot = plain[i]->slots()[0];
      EXPECT_TRUE(at::allclose(part(flat.parameters()), *slot.parameter, 1e-6, 1e-7)) << i;
      EXPECT_TRUE(at::allclose(part(flat.exp_avg()), slot.exp_avg, 1e-6, 1e-7)) << i;
      EXPECT_TRUE(at::allclose(part(flat.exp_avg_sq()), slot.exp_avg_sq, 1e-6, 1e-9)) << i;
    }
  }
}

// Which block comes last is chance on a GPU, and by the emulation's seed here.
TEST(FlatAdamW, TheNormHasTheSameBitsInAnyOrder) {
  Philox rng(5, "flat_adamw_test");
  const at::Tensor gradients = NormalRow(9001, &rng);
  double first = 0;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    EmulatedLauncher launcher(seed);
    FlatAdamW flat(&launcher, {0, 9001}, at::kCPU);
    flat.gradients().copy_(gradients);
    for (int again = 0; again < 2; ++again) ASSERT_TRUE(flat.QueueSquares().ok());
    const double squares = flat.squares().item<double>();
    if (seed == 0) first = squares;
    EXPECT_EQ(squares, first) << "seed " << seed;
  }
}

TEST(FlatAdamW, AGradientThatIsNotFiniteShowsInTheNorm) {
  EmulatedLauncher launcher(1);
  FlatAdamW flat(&launcher, {0, 300, 400}, at::kCPU);
  flat.gradients()[299] = NAN;
  ASSERT_TRUE(flat.QueueSquares().ok());
  EXPECT_TRUE(std::isnan(flat.squares()[0].item<double>()));
  EXPECT_EQ(flat.squares()[1].item<double>(), 0);
}

TEST(FlatAdamW, NumbersOfOtherRunsAreRefused) {
  EmulatedLauncher launcher(1);
  FlatAdamW flat(&launcher, {0, 3, 4}, at::kCPU);
  EXPECT_EQ(flat.QueueStep({NumbersOf(AdamWConfig(), 1, 1e-3, 0)}).code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace scm::trainer
