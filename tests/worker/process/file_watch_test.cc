#include "worker/process/file_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "gtest/gtest.h"
#include "tests/worker/support.h"

namespace scm::worker {
namespace {

class FileWatchTest : public testing::Test {
 protected:
  bool RunUntil(const std::function<bool()>& done) {
    const absl::Duration hang = RealClock().Steady() + absl::Minutes(2);
    while (!done()) {
      if (RealClock().Steady() > hang) return false;
      loop_->Run(hang - RealClock().Steady());
    }
    return true;
  }
  void Add(FileWatch& watch, const std::string& name, int& told) {
    ASSERT_TRUE(MakeDirectories(dir_ / name).ok());
    ASSERT_TRUE(watch.Add(dir_ / name, [&told] { ++told; }).ok());
  }

  const std::unique_ptr<EventLoop> loop_ = *EventLoop::Make();
  fake::TempDir dir_;
};

TEST_F(FileWatchTest, TellsWhatIsAppendedAndWhatIsRenamedIntoPlace) {
  FileWatch watch(*loop_, {"spool", "record"});
  int a = 0, b = 0;
  Add(watch, "a", a);
  Add(watch, "b", b);
  // As a trainer does: a descriptor that was opened before.
  const int spool = open((dir_ / "a/spool").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
  ASSERT_EQ(write(spool, "x\n", 2), 2);
  EXPECT_TRUE(RunUntil([&] { return a == 1; }));
  ASSERT_EQ(write(spool, "y\n", 2), 2);
  EXPECT_TRUE(RunUntil([&] { return a == 2; }));
  close(spool);
  EXPECT_EQ(b, 0);
  WriteText(dir_ / "b/record", "x");  // to a neighbour, then renamed
  EXPECT_TRUE(RunUntil([&] { return b == 1; }));
}

TEST_F(FileWatchTest, OtherNamesSayNothing) {
  FileWatch watch(*loop_, {"spool"});
  int told = 0;
  Add(watch, "a", told);
  WriteText(dir_ / "a/other", "x");
  WriteText(dir_ / "a/spool", "x");
  EXPECT_TRUE(RunUntil([&] { return told > 0; }));
  EXPECT_EQ(told, 1);
}

TEST_F(FileWatchTest, AFloodIsToldTogetherAndItsEndIsNotLost) {
  FileWatch watch(*loop_, {"spool"});
  int told = 0;
  Add(watch, "a", told);
  const absl::Duration began = RealClock().Steady();
  const int spool = open((dir_ / "a/spool").c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
  int64_t seen = 0;
  constexpr int kLines = 20000;
  for (int i = 0; i < kLines; ++i) {
    ASSERT_EQ(write(spool, "x\n", 2), 2);
    if (loop_->Run(absl::ZeroDuration()) > 0) seen = FileSize(dir_ / "a/spool").value_or(0);
  }
  EXPECT_TRUE(RunUntil([&] {
    seen = told > 0 ? FileSize(dir_ / "a/spool").value_or(0) : 0;
    return seen == 2 * kLines;
  }));
  const absl::Duration took = RealClock().Steady() - began;
  EXPECT_LE(told, took / FileWatch::kPace + 2);
  close(spool);
}

TEST_F(FileWatchTest, AfterRemoveNothingIsTold) {
  FileWatch watch(*loop_, {"spool"});
  int removed = 0, other = 0;
  Add(watch, "a", removed);
  Add(watch, "b", other);
  WriteText(dir_ / "a/spool", "x");
  watch.Remove(dir_ / "a");
  watch.Remove(dir_ / "a");
  WriteText(dir_ / "b/spool", "x");
  EXPECT_TRUE(RunUntil([&] { return other > 0; }));
  EXPECT_EQ(removed, 0);
}

TEST_F(FileWatchTest, ADirectoryMayBeGoneBeforeItIsRemoved) {
  FileWatch watch(*loop_, {"spool"});
  int gone = 0, other = 0;
  Add(watch, "a", gone);
  ASSERT_TRUE(RemoveRecursively(dir_ / "a").ok());
  watch.Remove(dir_ / "a");
  Add(watch, "a", other);
  WriteText(dir_ / "a/spool", "x");
  EXPECT_TRUE(RunUntil([&] { return other > 0; }));
}

TEST_F(FileWatchTest, SaysWhatItCannotWatch) {
  FileWatch watch(*loop_, {"spool"});
  EXPECT_FALSE(watch.Add(dir_ / "nowhere", [] {}).ok());
  WriteText(dir_ / "file", "x");
  EXPECT_FALSE(watch.Add(dir_ / "file", [] {}).ok());
}

}  // namespace
}  // namespace scm::worker
