#include "coordinator/store/data_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "coordinator/store/sqlite_store.h"
#include "tests/fakes/temp_dir.h"

namespace scm::store {
namespace {

TEST(DataLock, SecondHolderIsToldWhoTheFirstIs) {
  fake::TempDir dir;
  const std::string data = dir.path() + "/new/data";
  auto first = SqliteStore::Open({data});
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = SqliteStore::Open({data});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(second.status().message())
                .find(absl::StrCat(data, " is in use by process ", getpid())),
            std::string::npos)
      << second.status();
  first->reset();
  EXPECT_TRUE(SqliteStore::Open({data}).ok());
}

TEST(DataLock, IsFreeWhenItsHolderDied) {
  fake::TempDir dir;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto lock = DataLock::Acquire(dir.path());
    const char answer = lock.ok() ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  const absl::Status held = DataLock::Acquire(dir.path()).status();
  EXPECT_NE(std::string(held.message()).find(absl::StrCat("process ", child)), std::string::npos)
      << held;
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(DataLock::Acquire(dir.path()).ok());
  close(ready[0]);
  close(ready[1]);
}

TEST(DataLock, SaysWhyADirectoryCannotBeUsed) {
  fake::TempDir dir;
  const std::string file = dir.path() + "/file";
  ASSERT_TRUE(WriteFileAtomically(file, "x").ok());
  const absl::Status status = DataLock::Acquire(file).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(file), std::string::npos) << status;
}

}  // namespace
}  // namespace scm::store
