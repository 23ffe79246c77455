#include "corpus/task_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;

std::vector<size_t> All(const Corpus& corpus) {
  std::vector<size_t> indices(corpus.items.size());
  std::iota(indices.begin(), indices.end(), size_t{0});
  return indices;
}

TEST(TaskStatisticsTest, ClustersByTheFormulas) {
  Corpus corpus;
  AddDocument(&corpus, "d", "AR");
  // Clusters of 1, 2 and 3 items, gold alternating so that each label has half.
  const int sizes[] = {1, 2, 3};
  int n = 0;
  for (const int size : sizes) {
    for (int i = 0; i < size; ++i, ++n) {
      Item& item = AddItem(&corpus, absl::StrCat("i", n), "d");
      item.cluster_id = absl::StrCat("c", size);
      item.gold = {n % 2};
    }
  }
  const ItemSetStatistics s = SingleLabelStatistics(corpus, All(corpus));
  EXPECT_EQ(s.items, 6);
  EXPECT_EQ(s.clusters, 3);
  EXPECT_DOUBLE_EQ(s.chance, 0.5);
  EXPECT_DOUBLE_EQ(s.mean_cluster_size, 14.0 / 6);  // Σm² / Σm
  EXPECT_DOUBLE_EQ(s.design_effect, 1 + 0.1 * (14.0 / 6 - 1));
  // w = 1, 2.2, 3.6
  EXPECT_NEAR(s.effective_clusters, 6.8 * 6.8 / (1 + 2.2 * 2.2 + 3.6 * 3.6), 1e-12);
}

TEST(TaskStatisticsTest, ChanceTakesTheRarestAnswerOfEachTask) {
  Corpus corpus;
  AddDocument(&corpus, "d", "AR");
  // Task t: two choices, shuffled; "no" is right once in four. By text 1/4, by position 1/2.
  for (int i = 0; i < 4; ++i) {
    Item& item = AddItem(&corpus, absl::StrCat("t", i), "d");
    item.choices =
        i % 2 == 0 ? std::vector<std::string>{"sí", "no"} : std::vector<std::string>{"no", "sí"};
    item.gold = {i == 0 ? 1 : i % 2};
  }
  // Task u: other choices in every item, so positions count: 1, 3, 3 of four.
  for (int i = 0; i < 3; ++i) {
    Item& item = AddItem(&corpus, absl::StrCat("u", i), "d");
    item.task = "u";
    item.choices = {absl::StrCat("a", i), absl::StrCat("b", i), absl::StrCat("c", i),
                    absl::StrCat("d", i)};
    item.gold = {i == 0 ? 0 : 2};
  }
  Item& multi = AddItem(&corpus, "m", "d");
  multi.task = "m";
  multi.multi_label = true;
  const ItemSetStatistics s = SingleLabelStatistics(corpus, All(corpus));
  EXPECT_EQ(s.items, 7);
  EXPECT_DOUBLE_EQ(s.chance, (4 * 0.25 + 3 * 0.25) / 7);
  const LabelShares t = GoldShares(corpus, {0, 1, 2, 3});
  EXPECT_TRUE(t.by_text);
  EXPECT_THAT(t.labels, ElementsAre("no", "sí"));
  EXPECT_THAT(t.counts, ElementsAre(1, 3));
  EXPECT_DOUBLE_EQ(t.majority, 0.75);
  EXPECT_DOUBLE_EQ(t.rarest, 0.25);
  const LabelShares u = GoldShares(corpus, {4, 5, 6});
  EXPECT_FALSE(u.by_text);
  EXPECT_THAT(u.counts, ElementsAre(1, 0, 2, 0));
  EXPECT_DOUBLE_EQ(u.rarest, 1.0 / 3);  // an answer that is never right is no guess to compare with
}

TEST(TaskStatisticsTest, NothingInNothingOut) {
  Corpus corpus;
  const ItemSetStatistics s = SingleLabelStatistics(corpus, {});
  EXPECT_EQ(s.items, 0);
  EXPECT_EQ(s.chance, 0);
  EXPECT_EQ(s.design_effect, 1);
  EXPECT_TRUE(GoldShares(corpus, {}).labels.empty());
}

}  // namespace
}  // namespace scm::corpus
