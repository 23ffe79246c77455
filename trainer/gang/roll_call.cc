#include "trainer/gang/roll_call.h"

#include <poll.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/loopback.h"
#include "common/status_macros.h"

namespace scm::gang {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(200);  // how often whoever waits looks up
constexpr absl::Duration kOneTry = absl::Seconds(2);
constexpr absl::Duration kAnswer = absl::Seconds(5);  // until the other end has taken a line
constexpr size_t kMostStrangers = 64;                 // connections that have said nothing yet

const char kWhatToCheck[] =
    "The workers of a gang need to reach each other by the host names that they registered with, "
    "at all ports from 1024 on";

absl::Status Stopped() { return absl::CancelledError("stopped while it waited for other ranks"); }

void WaitFor(std::vector<pollfd> watched) {
  ::poll(watched.data(), watched.size(), static_cast<int>(absl::ToInt64Milliseconds(kLook)));
}

Json AlikeJson(const Member& member) {
  Json alike = Json::object();
  for (const auto& [name, value] : member.alike) alike[name] = value;
  return alike;
}

// What a rank says of itself; `address` is the one that it has towards rank 0.
struct Hello {
  int64_t rank = 0;
  std::string gang, host, address;
  Json alike;
};

Json HelloToJson(const Member& member, const std::string& address) {
  return {{"gang", member.gang},
          {"rank", member.rank},
          {"host", member.host},
          {"address", address},
          {"alike", AlikeJson(member)}};
}

std::optional<Hello> HelloFrom(const std::string& line) {
  const absl::StatusOr<Json> json = ParseJson(line, "greeting");
  if (!json.ok() || !json->is_object()) return std::nullopt;
  return Hello{IntegerAt(*json, "rank", -1), StringAt(*json, "gang"), StringAt(*json, "host"),
               StringAt(*json, "address"), MemberAt(*json, "alike")};
}

// The roll call of rank 0.
class First {
 public:
  First(const Rendezvous& rendezvous, const Member& member, int64_t store_port,
        const Patience& patience)
      : rendezvous_(rendezvous),
        member_(member),
        store_port_(store_port),
        patience_(patience),
        deadline_(RealClock().Steady() + patience.join) {}

  absl::StatusOr<Circle> Run() {
    SCM_ASSIGN_OR_RETURN(Listener listener, Listen());
    while (static_cast<int64_t>(joined_.size()) < member_.world_size - 1) {
      if (patience_.go_on && !patience_.go_on()) return Stopped();
      if (RealClock().Steady() > deadline_) return Missing();
      WaitFor(Watched(listener));
      Admit(listener);
      HearStrangers();
      ForgetWhoLeft();
    }
    const std::string refusal = Difference();
    if (!refusal.empty()) {
      Tell({{"refused", refusal}});
      return absl::UnavailableError(refusal);
    }
    return Welcome();
  }

 private:
  struct Joined {
    Hello hello;
    LineSocket socket;
  };

  // What is left of another process may still hold the port.
  absl::StatusOr<Listener> Listen() {
    while (true) {
      absl::StatusOr<Listener> listener = Listener::Open(rendezvous_.port);
      if (listener.ok()) return listener;
      if (RealClock().Steady() > deadline_ - patience_.join + absl::Seconds(10)) {
        return absl::UnavailableError(absl::StrCat("rank 0 of ", member_.world_size, ": ",
                                                   listener.status().message(),
                                                   ". The next attempt meets at another port"));
      }
      if (patience_.go_on && !patience_.go_on()) return Stopped();
      WaitFor({});
    }
  }

  std::vector<pollfd> Watched(const Listener& listener) const {
    std::vector<pollfd> watched = {{listener.fd(), POLLIN, 0}};
    for (const LineSocket& one : strangers_) watched.push_back({one.fd(), POLLIN, 0});
    return watched;
  }

  void Admit(Listener& listener) {
    while (true) {
      LineSocket socket = listener.Accept();
      if (!socket.open()) return;
      strangers_.push_back(std::move(socket));
      if (strangers_.size() > kMostStrangers) strangers_.erase(strangers_.begin());
    }
  }

  void HearStrangers() {
    std::vector<LineSocket> silent;
    for (LineSocket& socket : strangers_) {
      std::vector<std::string> lines;
      const bool there = socket.Receive(&lines);
      if (!lines.empty()) {
        OnHello(HelloFrom(lines.front()), std::move(socket));
      } else if (there) {
        silent.push_back(std::move(socket));
      }
    }
    strangers_ = std::move(silent);
  }

  // Who is none of these ranks is sent away by closing the connection.
  void OnHello(std::optional<Hello> hello, LineSocket socket) {
    if (!hello || hello->gang != member_.gang) return;
    if (hello->rank < 1 || hello->rank >= member_.world_size) return;
    joined_.insert_or_assign(hello->rank, Joined{std::move(*hello), std::move(socket)});
  }

  void ForgetWhoLeft() {
    for (auto one = joined_.begin(); one != joined_.end();) {
      std::vector<std::string> ignored;
      one = one->second.socket.Receive(&ignored) ? std::next(one) : joined_.erase(one);
    }
  }

  absl::Status Missing() const {
    std::vector<std::string> missing;
    for (int64_t rank = 1; rank < member_.world_size; ++rank) {
      if (joined_.count(rank) == 0) missing.push_back(absl::StrCat("rank ", rank));
    }
    return absl::UnavailableError(absl::StrCat(
        "rank 0 of ", member_.world_size, " waited ", absl::FormatDuration(patience_.join), " at ",
        HostAndPort(rendezvous_.host, rendezvous_.port), " for ", absl::StrJoin(missing, ", "),
        missing.size() == 1 ? ", which never came. " : ", who never came. ", kWhatToCheck));
  }

  // "" when all fit together.
  std::string Difference() const {
    for (const auto& [rank, one] : joined_) {
      for (const auto& [name, value] : member_.alike) {
        const std::string other = StringAt(one.hello.alike, name);
        if (other == value) continue;
        return absl::StrCat("the ranks do not fit together: the ", name, " of ",
                            NameOfRank(rank, one.hello.host), " is ", other, ", that of ",
                            NameOfRank(0, member_.host), " ", value,
                            ". Install the same version of scm on all workers");
      }
    }
    return "";
  }

  void Tell(const Json& answer) {
    for (auto& [rank, one] : joined_) one.socket.Send(DumpJson(answer), kAnswer);
  }

  // Rank 0's address towards another host, if there is one; who is on this host has the same.
  std::string FirstAddress() const {
    std::string address = "127.0.0.1";
    for (const auto& [rank, one] : joined_) {
      const std::string own = one.socket.OwnAddress();
      if (own.empty()) continue;
      address = own;
      if (!IsLoopback(HostAndPort(own, 0))) break;
    }
    return address;
  }

  absl::StatusOr<Circle> Welcome() {
    Circle circle;
    circle.address = circle.store_address = FirstAddress();
    circle.store_port = store_port_;
    circle.hosts.push_back(member_.host);
    circle.sockets.emplace_back(-1);
    for (const auto& [rank, one] : joined_) circle.hosts.push_back(one.hello.host);
    for (auto& [rank, one] : joined_) {
      const std::string& own = one.hello.address;
      const Json answer = {
          {"address", own.empty() || IsLoopback(HostAndPort(own, 0)) ? circle.address : own},
          {"store", {{"address", circle.address}, {"port", store_port_}}},
          {"hosts", circle.hosts}};
      if (!one.socket.Send(DumpJson(answer), kAnswer)) {
        return absl::UnavailableError(
            absl::StrCat(NameOfRank(rank, one.hello.host), " went away as soon as it had come"));
      }
      circle.sockets.push_back(std::move(one.socket));
    }
    return circle;
  }

  const Rendezvous& rendezvous_;
  const Member& member_;
  int64_t store_port_;
  const Patience& patience_;
  absl::Duration deadline_;
  std::vector<LineSocket> strangers_;
  std::map<int64_t, Joined> joined_;
};

// The roll call of any other rank.
class Other {
 public:
  Other(const Rendezvous& rendezvous, const Member& member, const Patience& patience)
      : rendezvous_(rendezvous),
        member_(member),
        patience_(patience),
        deadline_(RealClock().Steady() + patience.join) {}

  absl::StatusOr<Circle> Run() {
    std::string last = "nobody answered";
    while (RealClock().Steady() < deadline_) {
      if (patience_.go_on && !patience_.go_on()) return Stopped();
      absl::StatusOr<LineSocket> socket = Connect(rendezvous_.host, rendezvous_.port, kOneTry);
      if (!socket.ok()) {
        last = std::string(socket.status().message());
        const absl::Duration now = RealClock().Steady();
        if (!absl::IsNotFound(socket.status())) {
          unresolved_since_ = absl::InfiniteDuration();
        } else if (now - std::min(unresolved_since_, now) >= patience_.resolve) {
          return Unresolved(last);
        } else {
          unresolved_since_ = std::min(unresolved_since_, now);
        }
        WaitFor({});
        continue;
      }
      const absl::StatusOr<Json> answer = Ask(*socket);
      if (answer.ok()) return Enter(*answer, std::move(*socket));
      if (!absl::IsNotFound(answer.status())) return answer.status();
      last = std::string(answer.status().message());
      WaitFor({});
    }
    return absl::UnavailableError(absl::StrCat(
        "rank ", member_.rank, " of ", member_.world_size, " (", member_.host,
        ") did not meet rank 0 at ", HostAndPort(rendezvous_.host, rendezvous_.port), " within ",
        absl::FormatDuration(patience_.join), ": ", last, ". ", kWhatToCheck));
  }

 private:
  // A name that is not known now will not be known in five minutes.
  absl::Status Unresolved(const std::string& why) const {
    return absl::UnavailableError(absl::StrCat("rank ", member_.rank, " of ", member_.world_size,
                                               " (", member_.host,
                                               ") does not know the host of rank 0: the name \"",
                                               rendezvous_.host, "\" has no address here (", why,
                                               "). Its worker registered with that name: make it "
                                               "known to all workers of a gang, in DNS or "
                                               "in /etc/hosts"));
  }

  // NOT_FOUND: who listens there is not rank 0 of this gang, or not yet.
  absl::StatusOr<Json> Ask(LineSocket& socket) {
    const Json hello = HelloToJson(member_, socket.OwnAddress());
    if (!socket.Send(DumpJson(hello), kAnswer)) return absl::NotFoundError("it hung up");
    std::vector<std::string> lines;
    while (lines.empty()) {
      if (patience_.go_on && !patience_.go_on()) return Stopped();
      if (RealClock().Steady() > deadline_) {
        return absl::NotFoundError("it answers, but not all ranks are there");
      }
      WaitFor({{socket.fd(), POLLIN, 0}});
      if (!socket.Receive(&lines) && lines.empty()) {
        return absl::NotFoundError("it hung up; it belongs to another attempt, or has ended");
      }
    }
    absl::StatusOr<Json> answer = ParseJson(lines.front(), "answer");
    if (!answer.ok() || !answer->is_object()) {
      return absl::NotFoundError("another program listens there");
    }
    return answer;
  }

  absl::StatusOr<Circle> Enter(const Json& answer, LineSocket socket) {
    const std::string refusal = StringAt(answer, "refused");
    if (!refusal.empty()) return absl::UnavailableError(refusal);
    Circle circle;
    circle.address = StringAt(answer, "address");
    const Json& store = MemberAt(answer, "store");
    circle.store_address = StringAt(store, "address");
    circle.store_port = IntegerAt(store, "port", 0);
    for (const Json& host : MemberAt(answer, "hosts")) {
      circle.hosts.push_back(host.is_string() ? host.get<std::string>() : "");
    }
    if (static_cast<int64_t>(circle.hosts.size()) != member_.world_size) {
      return absl::UnavailableError(
          absl::StrCat("rank 0 at ", HostAndPort(rendezvous_.host, rendezvous_.port), " counts ",
                       circle.hosts.size(), " ranks, and this is one of ", member_.world_size));
    }
    circle.sockets.push_back(std::move(socket));
    return circle;
  }

  const Rendezvous& rendezvous_;
  const Member& member_;
  const Patience& patience_;
  absl::Duration deadline_;
  absl::Duration unresolved_since_ = absl::InfiniteDuration();
};

}  // namespace

std::string NameOfRank(int64_t rank, const std::string& host) {
  return absl::StrCat("rank ", rank, " (", host, ")");
}

absl::StatusOr<Circle> CallRoll(const Rendezvous& rendezvous, const Member& member,
                                int64_t store_port, const Patience& patience) {
  if (member.rank == 0) return First(rendezvous, member, store_port, patience).Run();
  return Other(rendezvous, member, patience).Run();
}

}  // namespace scm::gang
