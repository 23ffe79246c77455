// kill -9 while a store commits: what was acknowledged is there afterwards, and every batch is
// there as a whole or not at all.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/rng.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

constexpr int64_t kRowsPerBatch = 20;

// Batch n: an entity, an event, a request and metrics that all carry n.
WriteBatch Numbered(int64_t n) {
  const std::string text = std::to_string(n);
  WriteBatch batch;
  batch.upserts = {{EntityTable::kRuns, "r-" + text, "e-1", text},
                   {EntityTable::kMeta, "latest", "", text}};
  batch.events = {{n, "", "e-1", "r-" + text, "kind", text, "{}"}};
  batch.requests = {{"request " + text, text}};
  for (int64_t row = 0; row < kRowsPerBatch; ++row) {
    batch.metrics.push_back({"r-1", n, row, "loss", static_cast<double>(n)});
  }
  return batch;
}

// Commits batches from the last event on and writes each number when it is acknowledged.
[[noreturn]] void CommitUntilKilled(const std::string& directory, int acknowledge) {
  auto store = SqliteStore::Open({directory});
  if (!store.ok()) _exit(2);
  for (int64_t n = (*store)->Load().value().last_event + 1;; ++n) {
    if (!(*store)->Commit(Numbered(n)).ok()) _exit(3);
    if (write(acknowledge, &n, sizeof n) != sizeof n) _exit(4);
  }
}

// The last batch in the store; fails unless 1 … that number are there, whole.
int64_t CheckWhole(const std::string& directory) {
  auto store = SqliteStore::Open({directory});
  EXPECT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE((*store)->CheckIntegrity().ok());
  const StoredState state = (*store)->Load().value();
  const int64_t last = state.last_event;
  EXPECT_EQ(state.entities.size(), static_cast<size_t>(last) + 1);  // the runs and "latest"
  EXPECT_EQ(state.entities.back().body, std::to_string(last));
  EXPECT_EQ(state.requests.size(), static_cast<size_t>(last));
  const size_t rows = static_cast<size_t>(last * kRowsPerBatch);
  EXPECT_EQ((*store)->ReadEvents("", 0, INT64_MAX).value().size(), static_cast<size_t>(last));
  EXPECT_EQ((*store)->ReadMetrics("r-1", 0, INT64_MAX).value().size(), rows);
  return last;
}

TEST(Crash, NothingAcknowledgedIsLost) {
  const uint64_t seed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Philox rng(seed, "store_crash_test");
  fake::TempDir dir;
  for (int round = 0; round < 25 && !testing::Test::HasFailure(); ++round) {
    int acknowledged[2];
    ASSERT_EQ(pipe(acknowledged), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) CommitUntilKilled(dir.path(), acknowledged[1]);
    close(acknowledged[1]);
    // The child is somewhere in the next commits when the signal comes.
    int64_t last = 0, n = 0;
    for (uint64_t want = 1 + rng.Below(30); want > 0; --want) {
      ASSERT_EQ(read(acknowledged[0], &n, sizeof n), static_cast<ssize_t>(sizeof n));
      last = n;
    }
    for (volatile uint64_t spin = rng.Below(2'000'000); spin > 0;) spin = spin - 1;
    ASSERT_EQ(kill(child, SIGKILL), 0);
    while (read(acknowledged[0], &n, sizeof n) == static_cast<ssize_t>(sizeof n)) last = n;
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
    close(acknowledged[0]);
    const int64_t stored = CheckWhole(dir.path());
    EXPECT_GE(stored, last) << "round " << round;
    EXPECT_LE(stored, last + 1) << "at most the commit under way, round " << round;
  }
}

}  // namespace
}  // namespace scm::store
