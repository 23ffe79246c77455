#include "coordinator/rpc/front_door.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "common/status_macros.h"

namespace scm::rpc {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(250);  // at who is late or gone
constexpr absl::Duration kKnockPatience = absl::Seconds(5);
constexpr absl::Duration kTroublePeriod = absl::Seconds(1);  // between checks while shut
constexpr absl::Duration kBreath = absl::Milliseconds(20);   // where accepting fails

// Waiting is measured by the clock that nobody sets.
absl::Time Now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

int OpenSpare() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Whether the other side has closed; looks without taking anything from the connection's owner.
bool IsGone(int fd) {
  char byte;
  const ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

const char* Plural(int64_t count) { return count == 1 ? "" : "s"; }

}  // namespace

std::string PeerAddress(absl::string_view grpc_peer) {
  const size_t colon = grpc_peer.find(':');
  if (colon == grpc_peer.npos) return std::string(grpc_peer);
  std::string address =
      absl::StrReplaceAll(grpc_peer.substr(colon + 1), {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
  const size_t scope = address.find('%'), end = address.find(']');
  if (scope != address.npos && end != address.npos && scope < end) {
    address.erase(scope, end - scope);
  }
  return address;
}

// A quarter of all, within reason, is for the database, the files and whoever is inside already;
// and each place costs two descriptors, of which an eighth may be taken by strangers.
FrontDoor::FrontDoor(FrontDoorOptions options, ListeningSockets sockets)
    : options_(std::move(options)),
      reserve_(std::clamp<int64_t>(options_.descriptors / 4, 16, 512)),
      places_(static_cast<size_t>(
          std::clamp<int64_t>((options_.descriptors - reserve_) / 16, 4, 1024))),
      sockets_(std::move(sockets)),
      own_address_(sockets_.own_address()),
      port_(sockets_.port()),
      spare_(OpenSpare()),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

absl::StatusOr<std::unique_ptr<FrontDoor>> FrontDoor::Open(const FrontDoorOptions& options) {
  SCM_ASSIGN_OR_RETURN(ListeningSockets sockets, ListeningSockets::Open(options.listen));
  return std::unique_ptr<FrontDoor>(new FrontDoor(options, std::move(sockets)));
}

FrontDoor::~FrontDoor() {
  Close();
  for (const Guest& guest : guests_) close(guest.fd);
  close(spare_);
  close(wake_);
}

void FrontDoor::Close() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  eventfd_write(wake_, 1);
  if (accepting_.joinable()) accepting_.join();
  if (watching_.joinable()) watching_.join();
}

void FrontDoor::Serve(Hand hand, std::function<absl::Status()> answers) {
  hand_ = std::move(hand);
  answers_ = std::move(answers);
  accepting_ = std::thread([this] { Accept(); });
  watching_ = std::thread([this] { Watch(); });
}

void FrontDoor::Accept() {
  while (true) {
    std::vector<pollfd> waiting = {{wake_, POLLIN, 0}};
    for (const int fd : sockets_.fds()) waiting.push_back({fd, POLLIN, 0});
    poll(waiting.data(), waiting.size(), static_cast<int>(absl::ToInt64Milliseconds(kLook)));
    bool reopen = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      reopen = std::exchange(reopen_, false);
    }
    eventfd_t ignored;
    eventfd_read(wake_, &ignored);
    for (size_t i = 1; i < waiting.size(); ++i) {
      if (waiting[i].revents & (POLLERR | POLLNVAL | POLLHUP)) reopen = true;
      if (waiting[i].revents & POLLIN) TakeFrom(waiting[i].fd);
    }
    if (reopen) {
      const absl::Status opened = sockets_.Reopen();
      std::fprintf(stderr, "scm-coordinator: listens anew on port %d: %s\n", sockets_.port(),
                   opened.ok() ? "done" : std::string(opened.message()).c_str());
    }
    ShowOut();
  }
}

void FrontDoor::TakeFrom(int listener) {
  while (true) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    int fd =
        accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Welcome(fd, peer);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return;  // nobody waits, or the listener is broken
    // Whoever waits is refused with the spare descriptor: otherwise it would wait for ever.
    TurnedAway("no descriptor is left");
    close(spare_);
    fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    spare_ = OpenSpare();
    DropOldest();
    absl::SleepFor(kBreath);
    if (fd < 0) return;
  }
}

void FrontDoor::Welcome(int fd, const sockaddr_storage& peer) {
  const std::string address = AddressText(peer);
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (!knocking_.empty() && address == knocking_) {
      knock_heard_ = true;
      changed_.notify_all();
      close(fd);
      return;
    }
    full = guests_.size() >= places_;
  }
  // The lowest free number is given first, so a high one says that those below are taken.
  if (fd >= options_.descriptors - reserve_) {
    TurnedAway(absl::StrCat("descriptors run out: only the reserve of ", reserve_, " of ",
                            options_.descriptors, " is left"));
    DropOldest();
    close(fd);
    return;
  }
  if (full) {
    TurnedAway(absl::StrCat("connections that show no token take all ", places_, " place",
                            Plural(static_cast<int64_t>(places_)), "; the oldest are closed"));
    DropOldest();
  }
  const int second = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (second < 0) {
    TurnedAway("no descriptor is left");
    close(fd);
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  {
    const std::lock_guard lock(mutex_);
    if (const auto before = by_peer_.find(address); before != by_peer_.end()) {
      Forget(before->second);  // its port is in use again, so that connection is over
    }
    by_peer_[address] = guests_.insert(guests_.end(), {address, second, Now()});
  }
  hand_(fd);
}

void FrontDoor::Forget(Guests::iterator guest) {
  close(guest->fd);
  by_peer_.erase(guest->peer);
  guests_.erase(guest);
}

void FrontDoor::DropOldest() {
  const std::lock_guard lock(mutex_);
  if (guests_.empty()) return;
  shutdown(guests_.front().fd, SHUT_RDWR);
  Forget(guests_.begin());
}

void FrontDoor::ShowOut() {
  const absl::Time now = Now();
  const std::lock_guard lock(mutex_);
  for (auto guest = guests_.begin(); guest != guests_.end();) {
    const auto next = std::next(guest);
    const bool late = now - guest->since > options_.token_patience;
    if (late) shutdown(guest->fd, SHUT_RDWR);
    if (late || IsGone(guest->fd)) Forget(guest);
    guest = next;
  }
}

void FrontDoor::Proven(const std::string& peer) {
  const std::lock_guard lock(mutex_);
  if (guests_.empty()) return;
  if (const auto found = by_peer_.find(PeerAddress(peer)); found != by_peer_.end()) {
    Forget(found->second);
  }
}

void FrontDoor::TurnedAway(std::string why) {
  const absl::Time now = Now();
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = now - turned_away_at_ > options_.trouble_memory;
    turned_away_at_ = now;
    turned_away_ = why;
  }
  if (first)
    std::fprintf(stderr, "scm-coordinator: connections are turned away: %s\n", why.c_str());
}

std::string FrontDoor::Trouble() const {
  const absl::Time now = Now();
  const std::lock_guard lock(mutex_);
  if (!shut_.empty()) return shut_;
  return now - turned_away_at_ <= options_.trouble_memory
             ? absl::StrCat("connections are turned away: ", turned_away_)
             : "";
}

void FrontDoor::Watch() {
  int failures = 0;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const absl::Duration pause =
        failures > 0 ? std::min(kTroublePeriod, options_.check_period) : options_.check_period;
    changed_.wait_for(lock, absl::ToChronoMilliseconds(pause), [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    const absl::Status check = Check();
    lock.lock();
    if (stopping_) return;
    const std::string shut(check.message());
    if (!shut.empty() && shut_.empty()) {
      std::fprintf(stderr, "scm-coordinator: %s\n", shut.c_str());
    }
    shut_ = shut;
    failures = check.ok() ? 0 : failures + 1;
    // Once may be a busy moment. Only what listens can be started anew, not what is behind it.
    if (failures >= 2 && absl::IsUnavailable(check)) {
      reopen_ = true;
      eventfd_write(wake_, 1);
    }
  }
}

absl::Status FrontDoor::Check() {
  SCM_RETURN_IF_ERROR(Knock());
  const absl::Status answer = answers_();
  if (answer.ok()) return answer;
  return absl::InternalError(
      absl::StrCat("the coordinator does not answer its own call: ", answer.message()));
}

// From this machine to itself: the accepting thread knows the address that it comes from.
absl::Status FrontDoor::Knock() {
  sockaddr_storage to = own_address_, from = own_address_;
  SetPort(to, port_);
  SetPort(from, 0);
  const int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the coordinator cannot look at its own door: ", std::strerror(errno)));
  }
  socklen_t size = sizeof from;
  bind(fd, reinterpret_cast<const sockaddr*>(&from), AddressSize(from));
  getsockname(fd, reinterpret_cast<sockaddr*>(&from), &size);
  std::unique_lock lock(mutex_);
  knocking_ = AddressText(from);
  knock_heard_ = false;
  connect(fd, reinterpret_cast<const sockaddr*>(&to), AddressSize(to));
  const bool heard = changed_.wait_for(lock, absl::ToChronoMilliseconds(kKnockPatience),
                                       [this] { return knock_heard_ || stopping_; });
  knocking_.clear();
  lock.unlock();
  close(fd);
  if (heard) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("nobody is let in at port ", port_, " any more; it is opened anew"));
}

}  // namespace scm::rpc
