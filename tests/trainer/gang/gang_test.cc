// Ranks as threads: how they find each other, what they exchange, and how they notice that one has
// gone.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <sys/socket.h>

#include <atomic>
#include <cmath>
#include <iostream>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "trainer/gang/gloo.h"

namespace scm::gang {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

int64_t FreePort() { return Listener::Open(0)->port(); }

Member MemberNumber(int64_t rank, int64_t world_size) {
  return {.rank = rank,
          .world_size = world_size,
          .gang = "e-1/k-1/1",
          .host = absl::StrCat("host-", rank),
          .alike = {{"version of scm-trainer", "1.0"}, {"work order", "abc"}}};
}

// Calls `rank_of(rank)` on a thread for each rank, and returns what they return, by rank.
template <typename RankOf>
auto AllRanks(int64_t world_size, const RankOf& rank_of) {
  std::vector<std::optional<decltype(rank_of(int64_t{0}))>> results(
      static_cast<size_t>(world_size));
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] { results[static_cast<size_t>(rank)].emplace(rank_of(rank)); });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

TEST(Solo, SumsAreWhatTheyAre) {
  const auto solo = MakeSolo();
  std::vector<float> values = {1, 2};
  ASSERT_TRUE(solo->Sum(std::span<float>(values)).ok());
  EXPECT_EQ(values, (std::vector<float>{1, 2}));
  EXPECT_TRUE(solo->first() && solo->alone());
  EXPECT_TRUE(CheckSame(*solo, "things", "x").ok());
}

TEST(Tensors, AreSummedInPlaceAndCopiedOnlyWhereTheyMustBe) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const auto sums = AllRanks(2, [&](int64_t rank) {
    std::vector<at::Tensor> tensors = {at::ones({3, 4}).mul(rank + 1), at::ones({5}, at::kDouble),
                                       at::ones({2, 3}).t(), at::ones({2}, at::kLong)};
    const auto gang = JoinGloo(rendezvous, MemberNumber(rank, 2));
    EXPECT_TRUE(gang.ok()) << gang.status();
    if (!gang.ok()) return tensors;
    for (size_t i = 0; i < 3; ++i) {
      const void* const place = tensors[i].const_data_ptr();
      EXPECT_TRUE((*gang)->Sum(tensors[i]).ok());
      EXPECT_EQ(tensors[i].const_data_ptr(), place);
    }
    const absl::Status refused = (*gang)->Communicator::Sum(tensors[3]);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("fp32 and fp64, not Long"));
    at::Tensor again = tensors[1].clone();
    EXPECT_TRUE((*gang)->Communicator::Sum(again).ok());  // by way of the host
    tensors.push_back(again);
    (*gang)->Leave(absl::OkStatus());
    return tensors;
  });
  for (const auto& tensors : sums) {
    EXPECT_TRUE((*tensors)[0].eq(3).all().item<bool>());
    EXPECT_TRUE((*tensors)[1].eq(2).all().item<bool>());
    EXPECT_TRUE((*tensors)[2].eq(2).all().item<bool>());
    EXPECT_TRUE((*tensors)[4].eq(4).all().item<bool>());
  }
}

TEST(RollCall, AllMeetAndKnowEachOther) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const auto circles = AllRanks(
      3, [&](int64_t rank) { return CallRoll(rendezvous, MemberNumber(rank, 3), 4711, {}); });
  for (size_t rank = 0; rank < 3; ++rank) {
    ASSERT_TRUE(circles[rank]->ok()) << circles[rank]->status();
    const Circle& circle = **circles[rank];
    EXPECT_EQ(circle.hosts, (std::vector<std::string>{"host-0", "host-1", "host-2"}));
    EXPECT_EQ(circle.address, "127.0.0.1");
    EXPECT_EQ(circle.store_address, "127.0.0.1");
    EXPECT_EQ(circle.store_port, 4711);
    EXPECT_EQ(circle.sockets.size(), rank == 0 ? 3u : 1u);
  }
}

// What listens to nobody, what babbles, and what is left of another attempt.
TEST(RollCall, StrangersAreSentAway) {
  const Rendezvous rendezvous{"localhost", FreePort()};
  std::atomic<bool> met = false;
  std::thread strangers([&] {
    std::vector<LineSocket> kept;
    for (int i = 0; !met && i < 200; ++i) {
      absl::StatusOr<LineSocket> socket =
          Connect("localhost", rendezvous.port, absl::Milliseconds(100));
      if (!socket.ok()) continue;
      const char* const lines[] = {"GET / HTTP/1.1", R"({"gang":"e-1/k-1/0","rank":1})", "[[[",
                                   R"({"gang":"e-1/k-1/1","rank":9})"};
      if (i % 5 < 4) socket->Send(lines[i % 5]);
      kept.push_back(std::move(*socket));
    }
  });
  const auto circles =
      AllRanks(2, [&](int64_t rank) { return CallRoll(rendezvous, MemberNumber(rank, 2), 1, {}); });
  met = true;
  strangers.join();
  for (const auto& circle : circles) EXPECT_TRUE(circle->ok()) << circle->status();
}

TEST(RollCall, RanksOfDifferentVersionsSaySo) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const auto circles = AllRanks(3, [&](int64_t rank) {
    Member member = MemberNumber(rank, 3);
    if (rank == 2) member.alike[0].second = "0.9";
    return CallRoll(rendezvous, member, 1, {});
  });
  for (const auto& circle : circles) {
    EXPECT_EQ(circle->status().code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(circle->status().message()),
                HasSubstr("the version of scm-trainer of rank 2 (host-2) is 0.9, that of rank 0 "
                          "(host-0) 1.0"));
  }
}

TEST(RollCall, ARendezvousThatNobodyReachesSaysWhatToCheck) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const Patience patience{.join = absl::Milliseconds(300)};
  const std::string where = absl::StrCat("127.0.0.1:", rendezvous.port);
  const auto other = CallRoll(rendezvous, MemberNumber(1, 2), 0, patience);
  EXPECT_THAT(std::string(other.status().message()),
              AllOf(HasSubstr("rank 1 of 2 (host-1) did not meet rank 0 at " + where),
                    HasSubstr("within 300ms: Connection refused"), HasSubstr("host names")));
  const auto first = CallRoll(rendezvous, MemberNumber(0, 3), 0, patience);
  EXPECT_THAT(std::string(first.status().message()),
              AllOf(HasSubstr("rank 0 of 3 waited 300ms at " + where),
                    HasSubstr("for rank 1, rank 2, who never came")));
  const auto nowhere = CallRoll({"no-such-host.invalid", 1}, MemberNumber(1, 2), 0, patience);
  EXPECT_THAT(std::string(nowhere.status().message()), HasSubstr("no-such-host.invalid:1"));
  // A name that nobody knows is not waited for as long as a rank that is late.
  const absl::Duration begun = RealClock().Steady();
  const Patience long_one{.join = absl::Hours(1), .resolve = absl::Milliseconds(300)};
  const auto unknown = CallRoll({"no-such-host.invalid", 1}, MemberNumber(1, 2), 0, long_one);
  EXPECT_LT(RealClock().Steady() - begun, absl::Minutes(30));
  EXPECT_THAT(std::string(unknown.status().message()),
              AllOf(HasSubstr("rank 1 of 2 (host-1) does not know the host of rank 0: the name "
                              "\"no-such-host.invalid\" has no address here"),
                    HasSubstr("/etc/hosts")));
  std::cout << other.status().message() << "\n" << first.status().message() << "\n";
}

TEST(RollCall, AnOrderToStopEndsTheWait) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  for (const int64_t rank : {0, 1}) {
    const auto circle =
        CallRoll(rendezvous, MemberNumber(rank, 2), 0, {.go_on = [] { return false; }});
    EXPECT_TRUE(absl::IsCancelled(circle.status())) << circle.status();
  }
}

// Rank 0 with connections to the others, whose ends the test holds.
struct Watched {
  explicit Watched(int64_t world_size) {
    std::vector<LineSocket> sockets;
    std::vector<std::string> hosts = {"host-0"};
    sockets.emplace_back(-1);
    for (int64_t rank = 1; rank < world_size; ++rank) {
      int ends[2];
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      sockets.emplace_back(ends[0]);
      others.emplace_back(ends[1]);
      hosts.push_back(absl::StrCat("host-", rank));
    }
    LivenessOptions options;
    options.beat = absl::Milliseconds(20);
    options.silence = absl::Milliseconds(400);
    options.on_lost = [this](const absl::Status&) { ++lost; };
    liveness = std::make_unique<Liveness>(0, hosts, std::move(sockets), options);
  }
  // The lines that `other` has been told, once the connection has ended.
  std::string Told(LineSocket& other) {
    std::vector<std::string> lines;
    while (other.Receive(&lines)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return absl::StrJoin(lines, "");
  }
  std::vector<LineSocket> others;
  std::atomic<int> lost = 0;
  std::unique_ptr<Liveness> liveness;
};

constexpr absl::Duration kLong = absl::Seconds(60);

TEST(Liveness, SilenceIsNoticedNamedAndPassedOn) {
  Watched watched(3);
  std::atomic<bool> over = false;
  std::thread alive([&] {
    while (!over) {
      watched.others[0].Send("");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const absl::Status verdict = watched.liveness->Verdict(kLong);
  over = true;
  alive.join();
  EXPECT_EQ(verdict.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(verdict.message()),
              HasSubstr("rank 2 (host-2) has given no sign of life for 400ms"));
  watched.liveness.reset();
  EXPECT_EQ(watched.lost, 1);
  EXPECT_THAT(watched.Told(watched.others[0]), HasSubstr("rank 2 (host-2)"));
}

TEST(Liveness, ADeathIsNoticedAndAGoodbyeIsNone) {
  Watched watched(3);
  watched.others[1].Send(R"({"left":true})");
  watched.others[1].Close();
  std::this_thread::yield();
  watched.others[0].Close();
  EXPECT_THAT(std::string(watched.liveness->Verdict(kLong).message()),
              HasSubstr("rank 1 (host-1) has ended"));
}

TEST(Liveness, AFailureKeepsItsCode) {
  Watched watched(2);
  watched.others[0].Send(R"({"lost":"rank 1 (host-1) failed: out of memory","code":8})");
  const absl::Status verdict = watched.liveness->Verdict(kLong);
  EXPECT_EQ(verdict.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(verdict.message()), HasSubstr("rank 1 (host-1) failed: out of memory"));
}

TEST(Liveness, LeavingTellsTheOthersWhy) {
  for (const absl::Status& outcome : {absl::OkStatus(), absl::NotFoundError("no corpus")}) {
    Watched watched(2);
    watched.liveness->Leave(outcome);
    watched.liveness.reset();
    EXPECT_THAT(watched.Told(watched.others[0]),
                HasSubstr(outcome.ok() ? "left" : "rank 0 (host-0) failed: no corpus"));
    EXPECT_EQ(watched.lost, 0);
  }
}

// Sums of a rank's own numbers: the value at i of rank r.
template <typename T>
T Value(int64_t rank, size_t i) {
  return static_cast<T>(std::sin(static_cast<double>(rank + 1) * (static_cast<double>(i) + 0.7)));
}

template <typename T>
std::vector<T> SumOf(Communicator& gang, size_t size) {
  std::vector<T> values(size);
  for (size_t i = 0; i < size; ++i) values[i] = Value<T>(gang.rank(), i);
  EXPECT_TRUE(gang.Sum(std::span<T>(values)).ok());
  return values;
}

struct Sums {
  std::vector<float> floats, again;
  std::vector<double> doubles;
  std::string text;
  absl::Status same, different;
};

class Gloo : public ::testing::TestWithParam<int64_t> {};

TEST_P(Gloo, SumsHaveTheSameBitsOnEveryRankAndAtEveryTry) {
  const int64_t ranks = GetParam();
  const size_t size = 100003;
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const auto sums = AllRanks(ranks, [&](int64_t rank) {
    Sums result;
    const auto gang = JoinGloo(rendezvous, MemberNumber(rank, ranks));
    EXPECT_TRUE(gang.ok()) << gang.status();
    if (!gang.ok()) return result;
    result.floats = SumOf<float>(**gang, size);
    result.again = SumOf<float>(**gang, size);
    result.doubles = SumOf<double>(**gang, 3);
    result.text = absl::StrCat("of rank ", rank);
    EXPECT_TRUE((*gang)->Broadcast(&result.text, ranks - 1).ok());
    result.same = CheckSame(**gang, "things", "x");
    result.different = CheckSame(**gang, "things", rank == 1 ? "y" : "x");
    (*gang)->Leave(absl::OkStatus());
    return result;
  });
  double worst = 0;
  for (size_t i = 0; i < size; ++i) {
    double exact = 0;
    for (int64_t rank = 0; rank < ranks; ++rank) exact += Value<float>(rank, i);
    worst = std::max(worst, std::abs(sums[0]->floats[i] - exact));
  }
  std::cout << ranks << " ranks: largest error of a sum of fp32 " << worst << "\n";
  EXPECT_LT(worst, 1e-6);
  for (const auto& sum : sums) {
    EXPECT_EQ(sum->floats, sums[0]->floats);
    EXPECT_EQ(sum->again, sums[0]->floats);
    EXPECT_EQ(sum->doubles, sums[0]->doubles);
    EXPECT_EQ(sum->text, absl::StrCat("of rank ", ranks - 1));
    EXPECT_TRUE(sum->same.ok()) << sum->same;
    EXPECT_THAT(std::string(sum->different.message()), HasSubstr("have different things"));
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, Gloo, ::testing::Values(2, 3, 5));

TEST(GlooLost, WhoWaitsForARankThatIsGoneHearsWhich) {
  const Rendezvous rendezvous{"127.0.0.1", FreePort()};
  const auto statuses = AllRanks(3, [&](int64_t rank) {
    const auto gang = JoinGloo(rendezvous, MemberNumber(rank, 3));
    if (!gang.ok()) return gang.status();
    if (rank == 1) return absl::OkStatus();  // without a good-bye
    std::vector<float> values(1000, 1);
    absl::Status status;
    while (status.ok()) status = (*gang)->Sum(std::span<float>(values));
    return status;
  });
  for (const size_t rank : {0, 2}) {
    EXPECT_THAT(std::string(statuses[rank]->message()), HasSubstr("rank 1 (host-1) has ended"));
  }
}

}  // namespace
}  // namespace scm::gang
