#include "trainer/compute/token_plan.h"

#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

TEST(TokenPlan, DropsPaddingAndSplitsSegments) {
  Batch batch;
  batch.rows = 2;
  batch.length = 5;
  batch.tokens = {1, 2, 3, 4, 0, 5, 6, 0, 0, 0};
  batch.segments = {0, 0, 1, 1, -1, 4, 4, -1, -1, -1};
  batch.labels = {-100, 3, -100, 9, -100, 6, -100, -100, -100, -100};
  const auto plan = MakeTokenPlan(batch, 10, false);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->tokens, (std::vector<int32_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(plan->positions, (std::vector<int32_t>{0, 1, 0, 1, 0, 1}));
  ASSERT_EQ(plan->documents.size(), 3u);
  EXPECT_EQ(plan->documents[2].start, 4);
  EXPECT_EQ(plan->documents[2].length, 2);
  ASSERT_EQ(plan->labels.size(), 3u);
  EXPECT_EQ(plan->labels[1].token, 3);
  EXPECT_EQ(plan->labels[1].target, 9);
  EXPECT_EQ(plan->labels[2].row, 1);
  EXPECT_EQ(plan->places[5], 4);
  EXPECT_EQ(plan->places[4], -1);
}

TEST(TokenPlan, IsCutBetweenDocuments) {
  const Batch batch = RowsOfLengths({3, 4, 9, 1, 2, 5}, 50, 1);
  const auto plan = MakeTokenPlan(batch, 50, false);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const struct {
    int64_t most;
    std::vector<int64_t> sizes;
  } cases[] = {
      {1, {3, 4, 9, 1, 2, 5}}, {7, {7, 9, 3, 5}}, {8, {7, 9, 8}}, {23, {19, 5}}, {24, {24}}};
  for (const auto& c : cases) {
    TokenPlan joined;
    std::vector<int64_t> sizes;
    for (const PlanPart& part : CutPlan(*plan, c.most)) {
      EXPECT_EQ(part.first, joined.count()) << c.most;
      sizes.push_back(part.plan.count());
      Append(part.plan, &joined);
    }
    EXPECT_EQ(sizes, c.sizes) << c.most;
    EXPECT_EQ(joined.tokens, plan->tokens);
    EXPECT_EQ(joined.positions, plan->positions);
    ASSERT_EQ(joined.documents.size(), plan->documents.size());
    for (size_t i = 0; i < joined.documents.size(); ++i) {
      EXPECT_EQ(joined.documents[i].start, plan->documents[i].start);
      EXPECT_EQ(joined.documents[i].length, plan->documents[i].length);
    }
    ASSERT_EQ(joined.labels.size(), plan->labels.size());
    for (size_t i = 0; i < joined.labels.size(); ++i) {
      EXPECT_EQ(joined.labels[i].token, plan->labels[i].token);
      EXPECT_EQ(joined.labels[i].target, plan->labels[i].target);
      EXPECT_EQ(joined.labels[i].row, plan->labels[i].row);
    }
  }
  EXPECT_TRUE(CutPlan(TokenPlan(), 5).empty());
}

TEST(TokenPlan, RefusesWhatIsMalformed) {
  const Batch good = RowsOfLengths({4, 2}, 10, 1);
  ASSERT_TRUE(MakeTokenPlan(good, 10, true).ok());
  const struct {
    const char* what;
    void (*spoil)(Batch*);
    const char* message;
  } cases[] = {
      {"size", [](Batch* b) { b->labels.pop_back(); }, "7 labels"},
      {"token", [](Batch* b) { b->tokens[1] = 10; }, "row 0, position 1"},
      {"negative token", [](Batch* b) { b->tokens[4] = -1; }, "row 1, position 0"},
      {"label", [](Batch* b) { b->labels[0] = 12; }, "label 12"},
      {"label on padding", [](Batch* b) { b->labels[7] = 1; }, "padding carries a label"},
      {"left padding", [](Batch* b) { b->segments[0] = -1, b->labels[0] = -100; }, "on the right"},
      {"torn segment", [](Batch* b) { b->segments[1] = 3; }, "must not fall"},
  };
  for (const auto& c : cases) {
    Batch batch = good;
    c.spoil(&batch);
    const auto plan = MakeTokenPlan(batch, 10, true);
    ASSERT_FALSE(plan.ok()) << c.what;
    EXPECT_NE(plan.status().message().find(c.message), absl::string_view::npos) << plan.status();
  }
}

// Two items of three choices each with a short common start: shared within an item, not across.
TEST(TokenPlan, SharesWithinGroups) {
  Batch batch;
  batch.rows = 6;
  batch.length = 14;
  for (int row = 0; row < 6; ++row) {
    for (int i = 0; i < 14; ++i) {
      const int item = row % 2;
      batch.tokens.push_back(i < 5 ? 1 : (i < 13 ? 2 + item : 4 + row));
      batch.segments.push_back(0);
      batch.labels.push_back(i == 13 ? 0 : -100);
    }
  }
  const auto plan = MakeTokenPlan(batch, 20, true);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->count(), 2 * (13 + 3));
  EXPECT_EQ(plan->documents.size(), 8u);
  for (size_t i = 0; i < plan->places.size(); ++i) {
    ASSERT_GE(plan->places[i], 0);
    EXPECT_EQ(plan->tokens[static_cast<size_t>(plan->places[i])], batch.tokens[i]);
    EXPECT_EQ(plan->positions[static_cast<size_t>(plan->places[i])], static_cast<int32_t>(i % 14));
  }
}

}  // namespace
}  // namespace scm::trainer
