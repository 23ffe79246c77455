#include "common/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "absl/synchronization/notification.h"
#include "tests/fakes/temp_dir.h"

namespace scm {
namespace {

// flock belongs to the open file, so that two of one process stand for two processes.
class FileLockTest : public testing::Test {
 protected:
  int Open() const { return open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); }

  fake::TempDir dir_;
  const std::string path_ = dir_.path() + "/lock";
};

TEST_F(FileLockTest, IsHeldUntilItIsClosed) {
  const int first = Open(), second = Open();
  ASSERT_TRUE(TakeFileLock(first));
  EXPECT_FALSE(TakeFileLock(second, absl::Milliseconds(30)));
  EXPECT_EQ(errno, EWOULDBLOCK);
  close(first);
  EXPECT_TRUE(TakeFileLock(second, absl::ZeroDuration()));
  close(second);
}

TEST_F(FileLockTest, AHolderThatIsBeingTakenDownIsWaitedFor) {
  const int first = Open(), second = Open();
  ASSERT_TRUE(TakeFileLock(first));
  absl::Notification waits;
  std::thread holder([&] {
    waits.WaitForNotification();
    close(first);
  });
  waits.Notify();
  EXPECT_TRUE(TakeFileLock(second, absl::Minutes(1)));
  holder.join();
  close(second);
}

TEST_F(FileLockTest, WhatIsNoFileIsNoHolder) {
  EXPECT_FALSE(TakeFileLock(-1));
  EXPECT_EQ(errno, EBADF);
}

}  // namespace
}  // namespace scm
