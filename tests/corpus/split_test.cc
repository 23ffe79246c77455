#include "corpus/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::ElementsAre;

Corpus ManyDocuments(int per_jurisdiction) {
  Corpus corpus;
  for (const char* jurisdiction : {"AR", "CL", "ES", "UY"}) {
    for (int i = 0; i < per_jurisdiction; ++i) {
      AddDocument(&corpus, absl::StrCat(jurisdiction, "-", i), jurisdiction);
    }
  }
  return corpus;
}

std::map<std::string, Split> ById(const Corpus& corpus, const SplitAssignment& assignment) {
  std::map<std::string, Split> out;
  for (size_t i = 0; i < corpus.documents.size(); ++i) {
    out[corpus.documents[i].id] = assignment.documents[i];
  }
  return out;
}

TEST(SplitTest, SharesOutEveryJurisdictionByTheRatios) {
  const Corpus corpus = ManyDocuments(20);
  for (const int64_t seed : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(seed);
    const SplitAssignment split = AssignSplits(corpus, {0.6, 0.15, 0.25, seed}).value();
    EXPECT_EQ(split.CountDocuments(Split::kTrain), 48);
    EXPECT_EQ(split.CountDocuments(Split::kValidation), 12);
    EXPECT_EQ(split.CountDocuments(Split::kTest), 20);
    std::map<std::string, std::map<Split, int>> counts;
    for (size_t i = 0; i < corpus.documents.size(); ++i) {
      ++counts[corpus.documents[i].jurisdiction][split.documents[i]];
    }
    for (auto& [jurisdiction, by_split] : counts) {
      EXPECT_NEAR(by_split[Split::kTrain], 12, 1) << jurisdiction;
      EXPECT_NEAR(by_split[Split::kValidation], 3, 1) << jurisdiction;
      EXPECT_NEAR(by_split[Split::kTest], 5, 1) << jurisdiction;
    }
  }
}

TEST(SplitTest, DoesNotDependOnTheOrderOfDocumentsAndDependsOnTheSeed) {
  const Corpus corpus = ManyDocuments(10);
  Corpus reversed;
  for (auto it = corpus.documents.rbegin(); it != corpus.documents.rend(); ++it) {
    AddDocument(&reversed, it->id, it->jurisdiction);
  }
  const auto split = ById(corpus, AssignSplits(corpus, {}).value());
  EXPECT_EQ(split, ById(reversed, AssignSplits(reversed, {}).value()));
  EXPECT_NE(split, ById(corpus, AssignSplits(corpus, {0.8, 0.1, 0.1, 2}).value()));
}

// Pinned: a change of the generator or of the rule would silently change published test sets.
TEST(SplitTest, IsTheSameForEver) {
  const Corpus corpus = ManyDocuments(3);
  std::vector<std::string> test;
  const SplitAssignment split = AssignSplits(corpus, {0.5, 0.25, 0.25, 1}).value();
  for (size_t i = 0; i < corpus.documents.size(); ++i) {
    if (split.documents[i] == Split::kTest) test.push_back(corpus.documents[i].id);
  }
  EXPECT_THAT(test, ElementsAre("AR-1", "ES-2", "UY-2"));
}

TEST(SplitTest, KeepsDocumentsOfOneClusterTogether) {
  Corpus corpus = ManyDocuments(10);
  for (int i = 0; i < 10; ++i) {
    AddItem(&corpus, absl::StrCat("a", i), absl::StrCat("AR-", i)).cluster_id =
        absl::StrCat("fact-", i);
    AddItem(&corpus, absl::StrCat("u", i), absl::StrCat("UY-", i)).cluster_id =
        absl::StrCat("fact-", i);
  }
  const SplitAssignment split = AssignSplits(corpus, {0.5, 0.25, 0.25, 3}).value();
  for (size_t i = 0; i < corpus.items.size(); i += 2) EXPECT_EQ(split.items[i], split.items[i + 1]);
  EXPECT_GT(split.CountItems(Split::kTest), 0);
  EXPECT_GT(split.CountItems(Split::kTrain), 0);
}

TEST(SplitTest, AnItemsOwnSplitWins) {
  Corpus corpus = ManyDocuments(1);
  for (const Split split : kAllSplits) AddItem(&corpus, SplitName(split), "AR-0").split = split;
  AddItem(&corpus, "by-document", "AR-0");
  const SplitAssignment split = AssignSplits(corpus, {1, 0, 0, 1}).value();
  EXPECT_THAT(split.items,
              ElementsAre(Split::kTrain, Split::kValidation, Split::kTest, Split::kTrain));
  EXPECT_THAT(ItemsOf(corpus, split, Split::kTrain), ElementsAre(0, 3));
  EXPECT_THAT(ItemsOf(corpus, split, Split::kTest, {"t"}), ElementsAre(2));
  EXPECT_THAT(ItemsOf(corpus, split, Split::kTest, {"other"}), ElementsAre());
}

TEST(SplitTest, NoWantedSplitStaysEmptyWhereThereAreEnoughDocuments) {
  for (const int documents : {3, 4, 5, 6, 9}) {
    Corpus corpus;
    for (int i = 0; i < documents; ++i) AddDocument(&corpus, absl::StrCat("d", i), "AR");
    const SplitAssignment split = AssignSplits(corpus, {}).value();
    for (const Split each : kAllSplits) EXPECT_GE(split.CountDocuments(each), 1) << documents;
    EXPECT_EQ(AssignSplits(corpus, {0.5, 0.5, 0, 1})->CountDocuments(Split::kTest), 0);
  }
}

TEST(SplitTest, RefusesRatiosThatAreNoShares) {
  const Corpus corpus = ManyDocuments(1);
  for (const SplitOptions& options :
       {SplitOptions{0.8, 0.1, 0.2, 1}, SplitOptions{1.2, -0.1, -0.1, 1}, SplitOptions{0, 0, 0, 1},
        SplitOptions{NAN, 0.5, 0.5, 1}}) {
    EXPECT_EQ(AssignSplits(corpus, options).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace scm::corpus
