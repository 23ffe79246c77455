// AdamW against its published formula in double precision, and gradient clipping.
#include "trainer/loop/adamw.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>

#include "common/rng.h"
#include "gtest/gtest.h"

namespace scm::trainer {
namespace {

AdapterPair RandomPair(uint64_t seed) {
  Philox rng(seed, "adapters");
  AdapterPair pair;
  pair.a = at::zeros({3, 5});
  pair.b = at::zeros({7, 3});
  pair.grad_a = at::zeros({3, 5});
  pair.grad_b = at::zeros({7, 3});
  for (at::Tensor* tensor : {&pair.a, &pair.b}) {
    for (int64_t i = 0; i < tensor->numel(); ++i) {
      tensor->data_ptr<float>()[i] = static_cast<float>(rng.Normal());
    }
  }
  return pair;
}

void FillGradients(AdapterPair* pair, uint64_t step) {
  Philox rng(11, "gradients", step);
  for (at::Tensor* tensor : {&pair->grad_a, &pair->grad_b}) {
    for (int64_t i = 0; i < tensor->numel(); ++i) {
      tensor->data_ptr<float>()[i] = static_cast<float>(rng.Normal());
    }
  }
}

TEST(AdamW, FollowsTheFormula) {
  for (const double weight_decay : {0.0, 0.1}) {
    std::vector<AdapterPair> pairs = {RandomPair(1)};
    AdamW optimizer(pairs, {.weight_decay = weight_decay});
    const int64_t size = pairs[0].a.numel();
    std::vector<double> expected(pairs[0].a.data_ptr<float>(), pairs[0].a.data_ptr<float>() + size);
    std::vector<double> m(static_cast<size_t>(size)), v(static_cast<size_t>(size));
    for (int t = 1; t <= 30; ++t) {
      const double rate = 1e-2 * t / 30;
      FillGradients(&pairs[0], static_cast<uint64_t>(t));
      optimizer.Step(rate, 0.5);
      for (size_t i = 0; i < expected.size(); ++i) {
        const double g = 0.5 * static_cast<double>(pairs[0].grad_a.data_ptr<float>()[i]);
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        const double m_hat = m[i] / (1 - std::pow(0.9, t));
        const double v_hat = v[i] / (1 - std::pow(0.999, t));
        expected[i] -= rate * weight_decay * expected[i];
        expected[i] -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
        ASSERT_NEAR(pairs[0].a.data_ptr<float>()[i], expected[i], 2e-6)
            << "update " << t << ", element " << i << ", weight decay " << weight_decay;
      }
    }
    EXPECT_EQ(optimizer.updates(), 30);
  }
}

TEST(AdamW, ARateOfZeroOnlyGathersMoments) {
  std::vector<AdapterPair> pairs = {RandomPair(2)};
  const at::Tensor before = pairs[0].b.clone();
  AdamW optimizer(pairs, {});
  FillGradients(&pairs[0], 1);
  optimizer.Step(0, 1);
  EXPECT_TRUE(at::equal(before, pairs[0].b));
  EXPECT_GT(optimizer.slots()[1].exp_avg_sq.sum().item<float>(), 0);
}

TEST(GradientNorm, IsTheGlobalNorm) {
  std::vector<AdapterPair> pairs = {RandomPair(3), RandomPair(4)};
  for (AdapterPair& pair : pairs) {
    pair.grad_a.fill_(2);  // 15 elements
    pair.grad_b.fill_(1);  // 21 elements
  }
  AdamW optimizer(pairs, {});
  EXPECT_DOUBLE_EQ(GradientNorm(optimizer.slots()), std::sqrt(2 * (15 * 4 + 21)));
  pairs[1].grad_b.data_ptr<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(GradientNorm(optimizer.slots())));
  pairs[1].grad_b.data_ptr<float>()[4] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isinf(GradientNorm(optimizer.slots())));
}

TEST(ClipScale, BringsLongGradientsToTheLimit) {
  EXPECT_EQ(ClipScale(0.5, 1), 1);
  EXPECT_NEAR(ClipScale(10, 1), 0.1, 1e-7);
  EXPECT_EQ(ClipScale(10, 0), 1);  // switched off
}

}  // namespace
}  // namespace scm::trainer
