#include "tests/fakes/faulty_store.h"

#include <gtest/gtest.h>

#include "coordinator/store/memory_store.h"

namespace scm::store {
namespace {

WriteBatch One(int64_t n) {
  WriteBatch batch;
  batch.events = {{n, "", "", "", "kind", "text", "{}"}};
  return batch;
}

TEST(FaultyStore, FailsTheCallAskedFor) {
  MemoryStore inner;
  fake::FaultyStore store(&inner);
  store.FailCall(2, absl::InternalError("injected"));
  EXPECT_TRUE(store.Commit(One(1)).ok());
  EXPECT_EQ(store.Commit(One(2)).message(), "injected");
  EXPECT_EQ(store.Load().value().last_event, 1);
  EXPECT_TRUE(store.Commit(One(2)).ok());
  EXPECT_EQ(store.calls(), 4);
}

TEST(FaultyStore, CanLoseTheAnswerOfACommit) {
  MemoryStore inner;
  fake::FaultyStore store(&inner);
  store.FailCall(1, absl::InternalError("injected"), /*applied=*/true);
  EXPECT_FALSE(store.Commit(One(1)).ok());
  EXPECT_EQ(inner.Load().value().last_event, 1);
}

TEST(FaultyStore, FailsReadsAndFillsTheDisk) {
  MemoryStore inner;
  fake::FaultyStore store(&inner);
  store.FailCall(1, absl::DataLossError("injected"));
  EXPECT_FALSE(store.ReadEvents("", 0, 1).ok());
  store.FailCall(2, absl::DataLossError("injected"));
  EXPECT_FALSE(store.ReadMetrics("r-1", 0, 1).ok());
  store.FailCall(3, absl::DataLossError("injected"));
  EXPECT_FALSE(store.Load().ok());
  store.FillDiskAt(4);
  EXPECT_TRUE(absl::IsResourceExhausted(store.Commit(One(1))));
  EXPECT_TRUE(absl::IsResourceExhausted(store.Commit(One(1))));
  store.Recover();
  EXPECT_TRUE(store.Commit(One(1)).ok());
}

}  // namespace
}  // namespace scm::store
