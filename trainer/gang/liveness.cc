#include "trainer/gang/liveness.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/guard.h"
#include "common/json.h"
#include "trainer/gang/roll_call.h"

namespace scm::gang {
namespace {

constexpr char kLeft[] = "{\"left\":true}";
constexpr absl::Duration kGoodbye = absl::Seconds(1);

// News that ends the gang, and who said so first; "lost" of a whole line.
std::string LostLine(const absl::Status& why) {
  return DumpJson(Json{{"lost", std::string(why.message())}, {"code", why.raw_code()}});
}

}  // namespace

Liveness::Liveness(int64_t rank, std::vector<std::string> hosts, std::vector<LineSocket> sockets,
                   LivenessOptions options)
    : rank_(rank), hosts_(std::move(hosts)), options_(std::move(options)) {
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (!sockets[i].open()) continue;
    const int64_t other = rank == 0 ? static_cast<int64_t>(i) : 0;
    peers_.push_back({other, std::move(sockets[i]), RealClock().Steady()});
  }
  // Without the pipe the thread could not be ended: then nobody is watched, and a dead rank is
  // noticed by the next sum alone.
  if (::pipe2(wake_, O_CLOEXEC) != 0) return;
  thread_ = std::thread([this] { Guarded("liveness", [this] { Run(); }).IgnoreError(); });
}

Liveness::~Liveness() {
  if (wake_[1] >= 0) ::close(std::exchange(wake_[1], -1));
  if (thread_.joinable()) thread_.join();
  if (wake_[0] >= 0) ::close(wake_[0]);
}

void Liveness::Leave(const absl::Status& outcome) {
  if (wake_[1] >= 0) ::close(std::exchange(wake_[1], -1));
  if (thread_.joinable()) thread_.join();
  Tell(outcome.ok()
           ? kLeft
           : LostLine(absl::Status(
                 outcome.code(), absl::StrCat(NameOfRank(rank_, hosts_[static_cast<size_t>(rank_)]),
                                              " failed: ", outcome.message()))));
}

absl::Status Liveness::Verdict(absl::Duration patience) {
  std::unique_lock<std::mutex> lock(mutex_);
  news_.wait_for(lock, absl::ToChronoMilliseconds(patience), [this] { return !verdict_.ok(); });
  return verdict_;
}

void Liveness::Run() {
  while (Watch()) {
  }
}

bool Liveness::Watch() {
  std::vector<pollfd> watched = {{wake_[0], POLLIN, 0}};
  for (const Peer& peer : peers_) {
    if (!peer.left) watched.push_back({peer.socket.fd(), POLLIN, 0});
  }
  if (watched.size() == 1) return false;
  ::poll(watched.data(), watched.size(),
         static_cast<int>(absl::ToInt64Milliseconds(options_.beat)));
  if (watched[0].revents != 0) return false;
  const absl::Duration now = RealClock().Steady();
  if (now - beaten_ >= options_.beat) {
    beaten_ = now;
    Tell("");
  }
  // What has come is read before anybody is judged: this process itself may have been paused.
  absl::Status lost;
  for (Peer& peer : peers_) lost.Update(peer.left ? absl::OkStatus() : Hear(peer));
  if (lost.ok()) return true;
  Lose(lost);
  return false;
}

absl::Status Liveness::Hear(Peer& peer) {
  std::vector<std::string> lines;
  const bool there = peer.socket.Receive(&lines);
  const absl::Duration now = RealClock().Steady();
  if (!lines.empty()) peer.heard = now;
  for (const std::string& line : lines) {
    const absl::Status status = OnLine(peer, line);
    if (!status.ok() || peer.left) return status;
  }
  if (!there) {
    return absl::UnavailableError(
        absl::StrCat(NameOf(peer), " has ended: it was killed, or crashed; its log may say why"));
  }
  if (now - peer.heard < options_.silence) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      NameOf(peer), " has given no sign of life for ", absl::FormatDuration(options_.silence),
      ": its process is paused, or the network between the workers is interrupted"));
}

absl::Status Liveness::OnLine(Peer& peer, const std::string& line) {
  if (line.empty()) return absl::OkStatus();
  const absl::StatusOr<Json> json = ParseJson(line, "sign of life");
  if (!json.ok()) return absl::OkStatus();
  peer.left = BoolAt(*json, "left", false);
  const std::string lost = StringAt(*json, "lost");
  if (lost.empty()) return absl::OkStatus();
  const absl::Status status(static_cast<absl::StatusCode>(IntegerAt(*json, "code", 14)), lost);
  return status.ok() ? absl::UnavailableError(lost) : status;
}

void Liveness::Tell(const std::string& line) {
  for (Peer& peer : peers_) {
    if (!peer.left) peer.socket.Send(line, line.empty() ? absl::ZeroDuration() : kGoodbye);
  }
}

void Liveness::Lose(const absl::Status& why) {
  Tell(LostLine(why));
  {
    std::lock_guard<std::mutex> lock(mutex_);
    verdict_ = why;
  }
  if (options_.on_lost) options_.on_lost(why);
  news_.notify_all();
}

std::string Liveness::NameOf(const Peer& peer) const {
  return NameOfRank(peer.rank, hosts_[static_cast<size_t>(peer.rank)]);
}

}  // namespace scm::gang
