#include "worker/process/event_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <stdexcept>
#include <thread>

#include "common/clock.h"
#include "gtest/gtest.h"
#include "worker/thread_pool.h"

namespace scm::worker {
namespace {

constexpr absl::Duration kHang = absl::Minutes(2);

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    for (const int end : ends_) close(end);
  }
  int end() const { return ends_[0]; }
  void Write(const std::string& text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string Read() {
    char buffer[256];
    const ssize_t size = read(ends_[0], buffer, sizeof buffer);
    return size > 0 ? std::string(buffer, static_cast<size_t>(size)) : "";
  }

 private:
  int ends_[2] = {-1, -1};
};

class EventLoopTest : public testing::Test {
 protected:
  const std::unique_ptr<EventLoop> made_ = *EventLoop::Make();
  EventLoop& loop = *made_;
};

// What throws costs itself alone: the loop and the threads go on.
TEST_F(EventLoopTest, ATaskThatThrowsEndsNothingElse) {
  int ran = 0;
  for (int i = 0; i < 3; ++i) {
    loop.Post([] { throw std::runtime_error("caf\xe9"); });
    loop.Post([&ran] { ++ran; });
  }
  EXPECT_EQ(loop.Run(absl::Seconds(10)), 6);
  EXPECT_EQ(ran, 3);
}

TEST_F(EventLoopTest, APostFromAnotherThreadWakesIt) {
  for (int i = 0; i < 100; ++i) {
    std::thread poster([this] { loop.Post([] {}); });
    int ran = 0;
    while (ran == 0) ran = loop.Run(absl::InfiniteDuration());
    EXPECT_EQ(ran, 1);
    poster.join();
  }
}

TEST_F(EventLoopTest, WhatATaskPostsRunsInTheNextRound) {
  int ran = 0;
  loop.Post([&] { loop.Post([&] { ++ran; }); });
  EXPECT_EQ(loop.Run(absl::InfiniteDuration()), 1);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(loop.Run(absl::InfiniteDuration()), 1);
  EXPECT_EQ(ran, 1);
}

TEST_F(EventLoopTest, AReadableDescriptorIsCalledUntilItIsReadOrForgotten) {
  Pipe pipe;
  std::string got;
  int calls = 0;
  ASSERT_TRUE(loop.Watch(pipe.end(), [&] { got += ++calls == 1 ? "" : pipe.Read(); }).ok());
  EXPECT_EQ(loop.Run(absl::ZeroDuration()), 0);
  pipe.Write("one");
  EXPECT_EQ(loop.Run(kHang), 1);
  EXPECT_EQ(loop.Run(kHang), 1);
  EXPECT_EQ(got, "one");
  EXPECT_EQ(loop.Run(absl::ZeroDuration()), 0);
  pipe.Write("two");
  loop.Forget(pipe.end());
  EXPECT_EQ(loop.Run(absl::ZeroDuration()), 0);
}

TEST_F(EventLoopTest, OneThatIsForgottenInTheSameRoundIsNotCalled) {
  Pipe pipes[2];
  int calls = 0;
  for (Pipe& pipe : pipes) {
    ASSERT_TRUE(loop.Watch(pipe.end(),
                           [&] {
                             ++calls;
                             for (Pipe& each : pipes) loop.Forget(each.end());
                           })
                    .ok());
    pipe.Write("x");
  }
  EXPECT_EQ(loop.Run(kHang), 1);
  EXPECT_EQ(loop.Run(absl::ZeroDuration()), 0);
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ANumberThatIsGivenAgainIsAnotherDescriptor) {
  int calls = 0;
  auto first = std::make_unique<Pipe>();
  const int number = first->end();
  ASSERT_TRUE(loop.Watch(
                      number, [&] { first->Read(); }, absl::Milliseconds(1))
                  .ok());
  first->Write("x");
  EXPECT_EQ(loop.Run(kHang), 1);  // from here on it rests
  loop.Forget(number);
  first.reset();
  Pipe second;
  ASSERT_EQ(second.end(), number);
  ASSERT_TRUE(loop.Watch(number, [&] { ++calls, second.Read(); }).ok());
  second.Write("y");
  while (calls == 0) loop.Run(kHang);
  EXPECT_EQ(second.Read(), "");
}

// Between two calls lies the pace; what was written meanwhile is not lost.
TEST_F(EventLoopTest, ADescriptorWithAPaceRests) {
  constexpr absl::Duration kPace = absl::Milliseconds(20);
  Pipe pipe;
  std::vector<absl::Duration> calls;
  std::string got;
  const auto ready = [&] {
    calls.push_back(RealClock().Steady());
    got += pipe.Read();
  };
  ASSERT_TRUE(loop.Watch(pipe.end(), ready, kPace).ok());
  for (int i = 0; i < 500 || got.size() < 500; ++i) {
    if (i < 500) pipe.Write("x");
    loop.Run(i < 500 ? absl::ZeroDuration() : kHang);
  }
  ASSERT_GE(calls.size(), 2u);
  for (size_t i = 1; i < calls.size(); ++i) EXPECT_GE(calls[i] - calls[i - 1], kPace);
  EXPECT_EQ(got, std::string(500, 'x'));
}

TEST_F(EventLoopTest, ACallbackThatThrowsEndsNothingElse) {
  Pipe pipe;
  ASSERT_TRUE(loop.Watch(pipe.end(),
                         [&] {
                           pipe.Read();
                           throw 7;
                         })
                  .ok());
  for (int i = 0; i < 2; ++i) {
    pipe.Write("x");
    EXPECT_EQ(loop.Run(kHang), 1);
  }
}

TEST_F(EventLoopTest, RefusesWhatCannotBeWatched) {
  EXPECT_FALSE(loop.Watch(-1, [] {}).ok());
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  EXPECT_FALSE(loop.Watch(file, [] {}).ok());
  close(file);
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
