#include "model/formats/adapter_shapes.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kModules = {
    "model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj",
    "model.layers.11.self_attn.q_proj", "model.layers.11.mlp.down_proj"};

std::vector<int64_t> RanksBy(const std::vector<std::pair<std::string, int64_t>>& pattern) {
  AdapterNumbers numbers;
  numbers.rank_pattern = pattern;
  const auto shapes = AdapterShapes(numbers, kModules);
  EXPECT_TRUE(shapes.ok()) << shapes.status();
  std::vector<int64_t> ranks;
  for (const AdapterShape& shape : shapes.value_or(std::vector<AdapterShape>())) {
    ranks.push_back(shape.r);
  }
  return ranks;
}

// What peft's get_pattern_key finds: tests/parity/ compares with it.
TEST(AdapterShapes, FindTheFirstKeyThatNamesTheModule) {
  const struct {
    std::vector<std::pair<std::string, int64_t>> pattern;
    std::vector<int64_t> ranks;
  } cases[] = {
      {{}, {8, 8, 8, 8}},
      {{{"q_proj", 2}}, {2, 8, 2, 8}},
      {{{"_proj", 2}}, {8, 8, 8, 8}},  // a key begins behind a dot
      {{{"1.self_attn.q_proj", 2}}, {2, 8, 8, 8}},
      {{{"layers.1.*q_proj", 2}}, {2, 8, 2, 8}},  // a dot is any character
      {{{R"(layers\.1\..*)", 2}}, {2, 2, 8, 8}},
      {{{"q_proj|down_proj", 2}}, {2, 2, 2, 2}},
      {{{"^q_proj", 2}}, {8, 8, 8, 8}},
      {{{"^model.*down_proj$", 2}}, {8, 2, 8, 2}},
      {{{"model.layers.11.mlp.down_proj", 2}, {"down_proj", 3}}, {8, 3, 8, 2}},
      {{{"down_proj", 3}, {"model.layers.11.mlp.down_proj", 2}}, {8, 3, 8, 3}},
      {{{"k_proj", 2}}, {8, 8, 8, 8}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(RanksBy(c.pattern), c.ranks) << (c.pattern.empty() ? "" : c.pattern[0].first);
  }
}

TEST(AdapterShapes, ScaleByTheModulesOwnAlphaAndRank) {
  AdapterNumbers numbers;
  numbers.r = 4;
  numbers.alpha = 6;
  numbers.rank_pattern = {{"q_proj", 16}};
  numbers.alpha_pattern = {{"1.mlp.down_proj", 10}};
  using Shapes = std::vector<AdapterShape>;
  EXPECT_EQ(*AdapterShapes(numbers, kModules),
            (Shapes{{16, 6.0 / 16}, {4, 10.0 / 4}, {16, 6.0 / 16}, {4, 6.0 / 4}}));
  numbers.use_rslora = true;
  EXPECT_EQ(*AdapterShapes(numbers, kModules),
            (Shapes{{16, 6.0 / 4}, {4, 10.0 / 2}, {16, 6.0 / 4}, {4, 6.0 / 2}}));
  numbers.r = 3;
  EXPECT_EQ(AdapterShapes(numbers, kModules)->back().scale, 6 / std::sqrt(3.0));
}

TEST(AdapterShapes, RefuseWhatIsNoExpression) {
  AdapterNumbers numbers;
  numbers.alpha_pattern = {{"q_proj(", 2}};
  const absl::Status status = AdapterShapes(numbers, kModules).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("alpha_pattern: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("no valid expression"));
  numbers.alpha_pattern = {{"(?:.|.)*[A-Z]", 2}};
  EXPECT_THAT(std::string(AdapterShapes(numbers, kModules).status().message()),
              HasSubstr("takes too long"));
  numbers.alpha_pattern = {{std::string(70000, 'a'), 2}};
  EXPECT_THAT(std::string(AdapterShapes(numbers, kModules).status().message()),
              HasSubstr("too long"));
}

TEST(CheckPatterns, RefusesWhatPeftWouldStoreAsSomethingElse) {
  AdapterNumbers numbers;
  // Sorted, q_proj would come last.
  numbers.rank_pattern = {{"q_proj", 2}, {"layers.1.self_attn.q_proj", 4}};
  absl::Status status = CheckPatterns(numbers, kModules);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* part : {"rank_pattern: ", "\"q_proj\"", "\"layers.1.self_attn.q_proj\"",
                           "model.layers.1.self_attn.q_proj", "4 instead of 2"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
  // The other way round the order is that of the letters.
  numbers.rank_pattern = {{"layers.1.self_attn.q_proj", 4}, {"q_proj", 2}};
  EXPECT_EQ(CheckPatterns(numbers, kModules), absl::OkStatus());
  // The same value either way.
  numbers.rank_pattern = {{"q_proj", 2}, {"layers.1.self_attn.q_proj", 2}};
  EXPECT_EQ(CheckPatterns(numbers, kModules), absl::OkStatus());
  // No module has both.
  numbers.rank_pattern = {{"q_proj", 2}, {"down_proj", 4}};
  EXPECT_EQ(CheckPatterns(numbers, kModules), absl::OkStatus());
  numbers.alpha_pattern = {{"q_proj", 2.5}, {".*", 4.5}};
  status = CheckPatterns(numbers, kModules);
  EXPECT_THAT(std::string(status.message()), HasSubstr("alpha_pattern: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("4.5 instead of 2.5"));
}

// peft could not read the adapter, or would read another one.
TEST(CheckPatterns, RefusesWhatOnlySomeProgramsUnderstand) {
  AdapterNumbers numbers;
  for (const char* key : {"(?i)Q_PROJ", R"(\Kq_proj)", R"(\p{L}_proj)", "(?P<x>q_proj)",
                          "(*UTF)q_proj", "q++_proj", "[[:alpha:]]_proj", "q_proj\\"}) {
    numbers.rank_pattern = {{key, 2}};
    const absl::Status status = CheckPatterns(numbers, kModules);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("does not mean the same")) << key;
  }
  for (const char* key : {"q_proj", R"(layers\.\d+\..*q_proj)", "(?:q|k)_proj", "[qk]_proj$",
                          "^model.layers.1.*", "q_proj|down_proj", R"(\w{1}_proj)"}) {
    numbers.rank_pattern = {{key, 2}};
    EXPECT_EQ(CheckPatterns(numbers, kModules), absl::OkStatus()) << key;
  }
}

TEST(CheckPatterns, RefusesAKeyThatNamesNothing) {
  AdapterNumbers numbers;
  numbers.rank_pattern = {{"q_proj", 2}, {"q_porj", 4}};
  EXPECT_THAT(std::string(CheckPatterns(numbers, kModules).message()),
              HasSubstr("\"q_porj\" names no module that is adapted"));
}

}  // namespace
}  // namespace scm::model
