// The door of the coordinator: who is let in, who is shown out, and what it says about itself.
#include "coordinator/rpc/front_door.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "coordinator/rpc/stream_limits.h"

namespace scm::rpc {
namespace {

using testing::HasSubstr;

void Await(const std::function<bool()>& done, const char* what) {
  const absl::Time deadline = absl::Now() + absl::Minutes(2);
  while (!done() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(2));
  EXPECT_TRUE(done()) << what;
}

sockaddr_in LoopbackPort(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Somebody who comes to the door and says nothing.
class Visitor {
 public:
  explicit Visitor(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in address = LoopbackPort(port);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Visitor() { close(fd_); }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

  bool connected() const { return connected_; }
  bool shown_out() const {
    char byte;
    const ssize_t n = recv(fd_, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }
  // As gRPC would name it.
  std::string peer() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    return absl::StrCat("ipv4:127.0.0.1:", ntohs(address.sin_port));
  }

 private:
  int fd_;
  bool connected_ = false;
};

class FrontDoorTest : public testing::Test {
 protected:
  ~FrontDoorTest() override {
    door_.reset();
    for (const int fd : inside_) close(fd);
  }
  void Open(rpc::FrontDoorOptions options) {
    options.listen = "127.0.0.1:0";
    auto door = rpc::FrontDoor::Open(options);
    ASSERT_TRUE(door.ok()) << door.status();
    door_ = *std::move(door);
    door_->Serve(
        [this](int fd) {
          const std::lock_guard lock(mutex_);
          inside_.push_back(fd);
        },
        [this] {
          return broken_ ? absl::UnavailableError("as the test wants it") : absl::OkStatus();
        });
  }
  size_t inside() {
    const std::lock_guard lock(mutex_);
    return inside_.size();
  }

  std::atomic<bool> broken_{false};
  std::mutex mutex_;
  std::vector<int> inside_;
  std::unique_ptr<rpc::FrontDoor> door_;
};

TEST_F(FrontDoorTest, WhoShowsNoTokenInTimeIsShownOut) {
  Open({.token_patience = absl::Milliseconds(200)});
  const Visitor known(door_->port()), stranger(door_->port());
  Await([&] { return inside() == 2; }, "both are let in");
  door_->Proven(known.peer());
  Await([&] { return stranger.shown_out(); }, "the stranger has to go");
  EXPECT_FALSE(known.shown_out());
  EXPECT_EQ(door_->Trouble(), "");
}

TEST_F(FrontDoorTest, BeyondItsPlacesTheOldestStrangerGoesAndItSaysSo) {
  Open({.descriptors = 512, .token_patience = absl::Hours(1)});
  const Visitor known(door_->port());
  Await([&] { return inside() == 1; }, "the first is let in");
  door_->Proven(known.peer());
  std::vector<std::unique_ptr<Visitor>> strangers;
  for (size_t i = 0; i < door_->places() + 1; ++i) {
    strangers.push_back(std::make_unique<Visitor>(door_->port()));
    ASSERT_TRUE(strangers.back()->connected());
    Await([&] { return inside() == i + 2; }, "everybody gets in first");
  }
  Await([&] { return strangers.front()->shown_out(); }, "the oldest stranger has to go");
  EXPECT_FALSE(strangers.back()->shown_out());
  EXPECT_FALSE(known.shown_out());
  EXPECT_THAT(door_->Trouble(),
              HasSubstr(absl::StrCat("no token take all ", door_->places(), " places")));
}

TEST_F(FrontDoorTest, OneThatLeavesGivesItsPlaceBack) {
  Open({.descriptors = 128, .token_patience = absl::Hours(1)});
  for (size_t i = 0; i < 3 * door_->places(); ++i) {
    const Visitor visitor(door_->port());
    Await([&] { return inside() == i + 1; }, "let in");
    if (i % 2 == 0) absl::SleepFor(absl::Milliseconds(300));  // longer than between two looks
  }
  EXPECT_EQ(door_->Trouble(), "");
}

TEST_F(FrontDoorTest, TheReserveOfDescriptorsIsNotGivenToConnections) {
  // This process has more than that open, so every connection would take from the reserve.
  Open({.descriptors = 18, .trouble_memory = absl::Milliseconds(500)});
  const Visitor visitor(door_->port());
  Await([&] { return visitor.shown_out(); }, "turned away");
  EXPECT_EQ(inside(), 0u);
  EXPECT_THAT(door_->Trouble(), HasSubstr("only the reserve of 16 of 18 is left"));
  Await([&] { return door_->Trouble().empty(); }, "it is forgotten when nobody else comes");
}

TEST_F(FrontDoorTest, ItLooksWhetherCallsAreAnsweredBehindIt) {
  Open({.check_period = absl::Milliseconds(20)});
  broken_ = true;
  Await([&] { return !door_->Trouble().empty(); }, "it notices");
  EXPECT_THAT(door_->Trouble(), HasSubstr("does not answer its own call: as the test wants it"));
  broken_ = false;
  Await([&] { return door_->Trouble().empty(); }, "it notices that all is well again");
  EXPECT_EQ(inside(), 0u) << "its own knocks are not handed on";
}

// A listener that was shut, whatever did it, is opened anew on the same port.
TEST_F(FrontDoorTest, AListenerThatBrokeIsOpenedAnew) {
  Open({.check_period = absl::Milliseconds(20)});
  int broken = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    int listens = 0;
    socklen_t size = sizeof listens;
    sockaddr_in address{};
    socklen_t address_size = sizeof address;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) continue;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_size);
    if (ntohs(address.sin_port) != door_->port()) continue;
    broken += shutdown(fd, SHUT_RDWR) == 0;
  }
  ASSERT_EQ(broken, 1);
  Await([&] { return Visitor(door_->port()).connected(); }, "it listens again");
  Await([&] { return inside() > 0; }, "and lets in");
}

TEST(FrontDoor, ATakenAddressIsUnavailable) {
  const auto first = rpc::FrontDoor::Open({.listen = "127.0.0.1:0"});
  ASSERT_TRUE(first.ok());
  const std::string same = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_TRUE(absl::IsUnavailable(rpc::FrontDoor::Open({.listen = same}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(rpc::FrontDoor::Open({.listen = "127.0.0.1"}).status()));
}

TEST(FrontDoor, PeersAsGrpcNamesThem) {
  const std::pair<const char*, const char*> cases[] = {
      {"ipv4:127.0.0.1:4711", "127.0.0.1:4711"},
      {"ipv6:%5B::1%5D:4711", "[::1]:4711"},
      {"ipv6:[::1]:4711", "[::1]:4711"},
      {"ipv6:%5Bfe80::1%25eth0%5D:80", "[fe80::1]:80"},
      {"inproc", "inproc"},
      {"unix:/tmp/x", "/tmp/x"},
  };
  for (const auto& [peer, address] : cases) EXPECT_EQ(rpc::PeerAddress(peer), address);
}

TEST(StreamLimits, EachAndAllAreBoundedAndPlacesComeBack) {
  rpc::StreamLimits limits;
  std::vector<rpc::StreamLimits::Ticket> held;
  for (int i = 0; i < 16; ++i) {
    auto ticket = limits.Take(rpc::StreamKind::kUpload, "w-1");
    ASSERT_TRUE(ticket.ok());
    held.push_back(*std::move(ticket));
  }
  const absl::Status refused = limits.Take(rpc::StreamKind::kUpload, "w-1").status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_EQ(refused.message(),
            "too many uploads of one worker at once: at most 16, and w-1 has as many");
  EXPECT_TRUE(limits.Take(rpc::StreamKind::kUpload, "w-2").ok());
  EXPECT_TRUE(limits.Take(rpc::StreamKind::kWatch, "w-1").ok());
  held.pop_back();
  EXPECT_TRUE(limits.Take(rpc::StreamKind::kUpload, "w-1").ok());
  held.clear();
  for (int host = 0; host < 4; ++host) {
    for (int i = 0; i < 64; ++i) {
      auto ticket = limits.Take(rpc::StreamKind::kWatch, absl::StrCat("h-", host));
      ASSERT_TRUE(ticket.ok());
      held.push_back(*std::move(ticket));
    }
  }
  EXPECT_THAT(std::string(limits.Take(rpc::StreamKind::kWatch, "h-9").status().message()),
              HasSubstr("256 of all together are open"));
}

TEST(StreamLimits, AHostIsAPeerWithoutItsPort) {
  EXPECT_EQ(rpc::HostOfPeer("ipv4:127.0.0.1:4711"), "ipv4:127.0.0.1");
  EXPECT_EQ(rpc::HostOfPeer("ipv6:%5B::1%5D:4711"), "ipv6:%5B::1%5D");
}

}  // namespace
}  // namespace scm::rpc
