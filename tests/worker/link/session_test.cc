#include "worker/link/session.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::worker {
namespace {

class ManualClock : public Clock {
 public:
  absl::Time Now() override { return absl::UnixEpoch() + steady; }
  absl::Duration Steady() override { return steady; }
  absl::Duration steady = absl::Hours(1);
};

// Keeps the sink, so that the test speaks for the coordinator.
class ScriptedClient : public CoordinatorClient {
 public:
  void OpenSession(const Register& hello, Sink sink) override {
    ++dials;
    this->sink = std::move(sink);
  }
  bool Send(WorkerMessage) override { return true; }
  void CloseSession(bool flush) override {
    ++(flush ? orderly_closes : breaks);
    sink(SessionEnded{absl::CancelledError("closed")});
  }
  absl::StatusOr<UploadResult> Upload(const UploadRequest&) override {
    return absl::UnimplementedError("");
  }
  absl::Status Download(const LeaseRef&, const std::string&, const ChunkSink&) override {
    return absl::UnimplementedError("");
  }
  int dials = 0, orderly_closes = 0, breaks = 0;
  Sink sink;
};

class SessionTest : public testing::Test {
 protected:
  SessionTest()
      : session_(client_, clock_, 7,
                 {[] { return Register{}; },
                  [this](const CoordinatorMessage& message) { messages_.push_back(message); },
                  [](std::function<void()> task) { task(); }}) {}
  // Virtual time until the next dial.
  absl::Duration UntilNextDial() {
    const int dials = client_.dials;
    const absl::Duration start = clock_.steady;
    while (client_.dials == dials && clock_.steady - start < absl::Minutes(5)) {
      clock_.steady += absl::Milliseconds(10);
      session_.Proceed();
    }
    return clock_.steady - start;
  }
  void Fail(absl::Status status) { client_.sink(SessionEnded{std::move(status)}); }

  ManualClock clock_;
  ScriptedClient client_;
  std::vector<CoordinatorMessage> messages_;
  Session session_;
};

TEST_F(SessionTest, RegistersAndDelivers) {
  session_.Proceed();
  EXPECT_EQ(client_.dials, 1);
  EXPECT_FALSE(session_.registered());
  client_.sink(Drain{"too early"});  // before Registered: not for this session
  client_.sink(Registered{"w-1", 30, 5, "v", {}});
  EXPECT_TRUE(session_.registered());
  client_.sink(Drain{"now"});
  EXPECT_EQ(messages_.size(), 2u);
  session_.Proceed();
  EXPECT_EQ(client_.dials, 1);
}

TEST_F(SessionTest, BacksOffWithJitterAndStaysQuick) {
  session_.Proceed();
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 12; ++i) {
    Fail(absl::UnavailableError("down"));
    waits.push_back(UntilNextDial());
  }
  EXPECT_LE(waits.front(), absl::Milliseconds(260));
  for (const absl::Duration wait : waits)
    EXPECT_LE(wait, absl::Seconds(5) + absl::Milliseconds(10));
  EXPECT_GE(waits.back(), absl::Seconds(2.5));
  EXPECT_NE(waits[10], waits[11]) << "jitter";
  // A session that registered starts from the beginning.
  client_.sink(Registered{"w-1", 30, 5, "v", {}});
  Fail(absl::UnavailableError("down again"));
  EXPECT_LE(UntilNextDial(), absl::Milliseconds(260));
}

TEST_F(SessionTest, ARefusedTokenIsNotTriedOften) {
  session_.Proceed();
  Fail(absl::UnauthenticatedError("wrong token"));
  EXPECT_GE(UntilNextDial(), absl::Seconds(15));
}

TEST_F(SessionTest, BreaksOffWhenNobodyAnswers) {
  session_.Proceed();
  clock_.steady += absl::Seconds(31);
  session_.Proceed();
  EXPECT_EQ(client_.breaks, 1);
  UntilNextDial();
  EXPECT_EQ(client_.dials, 2);
}

TEST_F(SessionTest, MessagesOfAnOldSessionAreDropped) {
  session_.Proceed();
  const CoordinatorClient::Sink old = client_.sink;
  Fail(absl::UnavailableError("down"));
  UntilNextDial();
  old(Registered{"w-1", 30, 5, "v", {}});
  EXPECT_FALSE(session_.registered());
}

TEST(SessionLifeTest, WhatStillWaitsAfterItsEndIsDropped) {
  ManualClock clock;
  ScriptedClient client;
  std::vector<std::function<void()>> loop;
  int delivered = 0;
  auto session = std::make_unique<Session>(
      client, clock, 7,
      Session::Hooks{[] { return Register{}; },
                     [&delivered](const CoordinatorMessage&) { ++delivered; },
                     [&loop](std::function<void()> task) { loop.push_back(std::move(task)); }});
  session->Proceed();
  client.sink(Registered{"w-1", 30, 5, "v", {}});
  for (const auto& task : loop) task();
  loop.clear();
  ASSERT_EQ(delivered, 1);
  client.sink(Drain{"waits in the loop"});
  session.reset();
  client.sink(Drain{"comes after its end"});
  EXPECT_EQ(loop.size(), 2u);
  for (const auto& task : loop) task();
  EXPECT_EQ(delivered, 1);
}

TEST_F(SessionTest, CloseIsForGood) {
  session_.Proceed();
  client_.sink(Registered{"w-1", 30, 5, "v", {}});
  EXPECT_FALSE(session_.closed());
  session_.Close();
  EXPECT_EQ(client_.orderly_closes, 1);
  EXPECT_TRUE(session_.closed());
  EXPECT_GE(UntilNextDial(), absl::Minutes(5));
  EXPECT_EQ(client_.dials, 1);
}

}  // namespace
}  // namespace scm::worker
