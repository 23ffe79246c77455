// A full disk: the batch is refused as a whole with RESOURCE_EXHAUSTED, reading goes on, and the
// same batch is taken when there is room.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

WriteBatch Large(int64_t n) {
  WriteBatch batch;
  batch.upserts = {{EntityTable::kRuns, "r-" + std::to_string(n), "", std::string(20'000, 'x')}};
  batch.events = {{n, "", "", "", "kind", "text", "{}"}};
  return batch;
}

// Commits until the store says that the disk is full; the number of the batch that was refused.
int64_t Fill(StateStore& store, absl::Status* error) {
  for (int64_t n = 1; n < 10'000; ++n) {
    *error = store.Commit(Large(n));
    if (!error->ok()) return n;
  }
  return 0;
}

bool Holds(StateStore& store, int64_t batches) {
  const auto state = store.Load();
  return state.ok() && state->last_event == batches &&
         state->entities.size() == static_cast<size_t>(batches);
}

TEST(FullDisk, LimitOfTheDatabaseFile) {
  fake::TempDir dir;
  auto store = SqliteStore::Open({dir.path(), /*max_bytes=*/1'000'000});
  ASSERT_TRUE(store.ok()) << store.status();
  absl::Status error;
  const int64_t refused = Fill(**store, &error);
  ASSERT_GT(refused, 10);
  EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted) << error;
  EXPECT_TRUE(Holds(**store, refused - 1));
  EXPECT_EQ((*store)->Commit(Large(refused)).code(), absl::StatusCode::kResourceExhausted);

  WriteBatch room;
  for (int64_t n = 1; n <= 5; ++n) {
    room.removals.emplace_back(EntityTable::kRuns, "r-" + std::to_string(n));
  }
  ASSERT_TRUE((*store)->Commit(room).ok());
  EXPECT_TRUE((*store)->Commit(Large(refused)).ok()) << "the same batch again";
  EXPECT_TRUE((*store)->CheckIntegrity().ok());
}

// The kernel refuses to write: what a full disk looks like to SQLite. In a child, because the limit
// is on the whole process.
int WriteAgainstALimit(const std::string& directory) {
  signal(SIGXFSZ, SIG_IGN);
  auto store = SqliteStore::Open({directory});
  if (!store.ok()) return 1;
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small = {500'000, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  absl::Status error;
  const int64_t refused = Fill(**store, &error);
  if (refused < 10) return 2;
  if (!absl::IsResourceExhausted(error)) return 3;
  if (!Holds(**store, refused - 1)) return 4;
  if (!absl::IsResourceExhausted((*store)->Commit(Large(refused)))) return 5;
  setrlimit(RLIMIT_FSIZE, &limit);
  if (!(*store)->Commit(Large(refused)).ok()) return 6;
  if (!(*store)->CheckIntegrity().ok()) return 7;
  store->reset();
  auto again = SqliteStore::Open({directory});
  if (!again.ok() || !Holds(**again, refused)) return 8;
  return 0;
}

TEST(FullDisk, WritesThatTheKernelRefuses) {
  fake::TempDir dir;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(WriteAgainstALimit(dir.path()));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the step that failed";
}

}  // namespace
}  // namespace scm::store
