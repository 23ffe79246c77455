#include "trainer/compute/rotary.h"

#include <gtest/gtest.h>

#include <cmath>

namespace scm::trainer {
namespace {

TEST(Rotary, PlainFrequencies) {
  model::LlamaConfig c;
  c.head_dim = 4;
  c.rope_theta = 10000;
  const auto f = RotaryFrequencies(c);
  ASSERT_EQ(f.size(), 2u);
  EXPECT_DOUBLE_EQ(f[0], 1);
  EXPECT_NEAR(f[1], 0.01, 1e-15);
}

// Llama-3.2-1B: values computed from the published formula.
TEST(Rotary, Llama3Scaling) {
  model::LlamaConfig c;
  c.head_dim = 64;
  c.rope_theta = 500000;
  c.rope_scaling = model::RopeScaling();
  const auto f = RotaryFrequencies(c);
  const struct {
    size_t i;
    double value;
  } golden[] = {{14, 3.211446e-3}, {15, 1.290548e-3}, {16, 4.295568e-4},
                {17, 9.708288e-5}, {18, 1.946164e-5}, {31, 9.418307e-8}};
  for (const auto& g : golden) EXPECT_NEAR(f[g.i] / g.value, 1, 1e-6) << g.i;
}

TEST(Rotary, Tables) {
  model::LlamaConfig c;
  c.head_dim = 6;
  const RotaryTables t = MakeRotaryTables(c, 5);
  ASSERT_EQ(t.cos.size(), 15u);
  EXPECT_FLOAT_EQ(t.cos[0], 1);
  EXPECT_FLOAT_EQ(t.sin[4 * 3], std::sin(4.0f));
  EXPECT_FLOAT_EQ(t.cos[4 * 3], std::cos(4.0f));
}

}  // namespace
}  // namespace scm::trainer
