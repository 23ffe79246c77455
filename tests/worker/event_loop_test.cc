#include "worker/process/event_loop.h"

#include <future>
#include <stdexcept>

#include "gtest/gtest.h"
#include "worker/thread_pool.h"

namespace scm::worker {
namespace {

// What throws costs itself alone: the loop and the threads go on.
TEST(EventLoopTest, ATaskThatThrowsEndsNothingElse) {
  const std::unique_ptr<EventLoop> made = *EventLoop::Make();
  EventLoop& loop = *made;
  int ran = 0;
  for (int i = 0; i < 3; ++i) {
    loop.Post([] { throw std::runtime_error("caf\xe9"); });
    loop.Post([&ran] { ++ran; });
  }
  EXPECT_EQ(loop.Run(absl::Seconds(10)), 6);
  EXPECT_EQ(ran, 3);
}

TEST(ThreadPoolTest, ATaskThatThrowsEndsNothingElse) {
  ThreadPool pool(1);
  std::promise<int> answer;
  pool.Run([] { throw 7; });
  pool.Run([&answer] { answer.set_value(1); });
  EXPECT_EQ(answer.get_future().get(), 1);
}

}  // namespace
}  // namespace scm::worker
