#include "worker/process/shim_events.h"

#include <pthread.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"
#include "tests/worker/support.h"
#include "worker/process/host_process.h"

namespace scm::worker {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

class ShimEventsTest : public testing::Test {
 protected:
  ShimEventsTest() {
    WriteText(file_, "1");
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~ShimEventsTest() override { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  // Past the time in which the file is looked at.
  void BeginToFollow(ShimEvents& events) {
    EXPECT_EQ(events.Wait(INT64_MAX), 0);  // the last look
    EXPECT_EQ(events.Wait(INT64_MAX), 0);  // begins
  }
  // Longer than the looks are apart, and not a moment less: nothing wakes it meanwhile.
  void ExpectToSleep(ShimEvents& events) {
    const int64_t at = BootNanoseconds() + 3 * ShimEvents::kLookMilliseconds * kMillisecond;
    EXPECT_EQ(events.Wait(at), 0);
    EXPECT_GE(BootNanoseconds(), at);
  }

  fake::TempDir dir_;
  const std::string file_ = dir_ / "deadline";
  sigset_t signals_, before_;
};

TEST_F(ShimEventsTest, ReturnsASignalAtOnce) {
  ShimEvents events(signals_, file_);
  pthread_kill(pthread_self(), SIGUSR1);
  EXPECT_EQ(events.Wait(INT64_MAX), SIGUSR1);
  BeginToFollow(events);
  const pthread_t self = pthread_self();
  std::thread other([self] { pthread_kill(self, SIGUSR1); });
  EXPECT_EQ(events.Wait(INT64_MAX), SIGUSR1);
  other.join();
}

TEST_F(ShimEventsTest, ATimeThatHasPassedIsNotWaitedFor) {
  ShimEvents events(signals_, file_);
  EXPECT_EQ(events.Wait(0), 0);
  EXPECT_EQ(events.Wait(BootNanoseconds() - 1), 0);
}

TEST_F(ShimEventsTest, AfterTheFirstPeriodNothingButTheTimeWakesIt) {
  ShimEvents events(signals_, file_);
  BeginToFollow(events);
  ExpectToSleep(events);
}

TEST_F(ShimEventsTest, EveryKindOfChangeWakesItAndIsFollowed) {
  ShimEvents events(signals_, file_);
  BeginToFollow(events);
  const std::function<void()> changes[] = {
      [this] { WriteText(file_, "2"); },  // by renaming a neighbour
      [this] {                            // in place
        std::FILE* file = std::fopen(file_.c_str(), "r+");
        std::fputs("3", file);
        std::fclose(file);
      },
      [this] { unlink(file_.c_str()); }, [this] { WriteText(file_, "4"); },
      [this] { WriteText(file_, "5"); }};
  for (const auto& change : changes) {
    const std::string before = access(file_.c_str(), F_OK) == 0 ? ReadText(file_) : "";
    std::thread other(change);
    const auto read = [this] { return access(file_.c_str(), F_OK) == 0 ? ReadText(file_) : ""; };
    while (read() == before) EXPECT_EQ(events.Wait(INT64_MAX), 0);
    other.join();
  }
  for (int i = 0; i < 4; ++i) events.Wait(BootNanoseconds());  // what is left of the last change
  ExpectToSleep(events);
}

}  // namespace
}  // namespace scm::worker
