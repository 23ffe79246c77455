#include "trainer/gang/line_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/clock.h"

namespace scm::gang {
namespace {

constexpr size_t kLongestGangLine = 1 << 18;

std::string Numeric(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, nullptr,
                    0, NI_NUMERICHOST) != 0) {
    return "";
  }
  // A listener for both families shows IPv4 like this.
  return std::string(absl::StripPrefix(host, "::ffff:"));
}

int64_t Milliseconds(absl::Duration left) {
  return std::max<int64_t>(0, absl::ToInt64Milliseconds(left));
}

// Whether `fd` becomes ready for `events` in time.
bool Await(int fd, short events, absl::Duration patience) {
  const absl::Duration deadline = RealClock().Steady() + patience;
  while (true) {
    pollfd one{fd, events, 0};
    const int ready =
        ::poll(&one, 1, static_cast<int>(Milliseconds(deadline - RealClock().Steady())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

// A connected descriptor, or −errno.
int ConnectTo(const addrinfo& address, absl::Duration patience) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int error = 0;
  if (::connect(fd, address.ai_addr, address.ai_addrlen) != 0) {
    error = errno;
    if (error == EINPROGRESS) {
      socklen_t size = sizeof error;
      error = ETIMEDOUT;
      if (Await(fd, POLLOUT, patience)) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
  }
  if (error == 0) return fd;
  ::close(fd);
  return -error;
}

int ListenOn(int family, int64_t port) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  const int yes = 1, no = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in6 six{};
  sockaddr_in four{};
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(static_cast<uint16_t>(port));
  if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
  const bool is_six = family == AF_INET6;
  const sockaddr* const address =
      is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  if (::bind(fd, address, is_six ? sizeof six : sizeof four) == 0 && ::listen(fd, 1024) == 0) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  return -error;
}

}  // namespace

LineSocket::~LineSocket() { Close(); }

LineSocket::LineSocket(LineSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), pending_(std::move(other.pending_)) {}

LineSocket& LineSocket::operator=(LineSocket&& other) noexcept {
  if (this == &other) return *this;
  Close();
  fd_ = std::exchange(other.fd_, -1);
  pending_ = std::move(other.pending_);
  return *this;
}

void LineSocket::Close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool LineSocket::Send(const std::string& line, absl::Duration patience) {
  const std::string text = line + "\n";
  const absl::Duration deadline = RealClock().Steady() + patience;
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n =
        ::send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (errno != EAGAIN || !Await(fd_, POLLOUT, deadline - RealClock().Steady())) {
      return false;
    }
  }
  return true;
}

bool LineSocket::Receive(std::vector<std::string>* lines) {
  char buffer[4096];
  while (true) {
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    pending_.append(buffer, static_cast<size_t>(n));
    size_t start = 0;
    for (size_t end; (end = pending_.find('\n', start)) != std::string::npos; start = end + 1) {
      lines->push_back(pending_.substr(start, end - start));
    }
    pending_.erase(0, start);
    if (pending_.size() > kLongestGangLine) return false;
  }
}

std::string LineSocket::OwnAddress() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  return Numeric(address, size);
}

std::string LineSocket::PeerAddress() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  return Numeric(address, size);
}

absl::StatusOr<Listener> Listener::Open(int64_t port) {
  int fd = ListenOn(AF_INET6, port);
  if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL) fd = ListenOn(AF_INET, port);
  if (fd >= 0) return Listener(fd);
  return absl::UnavailableError(
      absl::StrCat("cannot listen at port ", port, " of this host: ", std::strerror(-fd)));
}

Listener::~Listener() {
  if (fd_ >= 0) ::close(fd_);
}

Listener::Listener(Listener&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

int64_t Listener::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  // At the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

LineSocket Listener::Accept() {
  while (true) {
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 || errno != EINTR) return LineSocket(fd);
  }
}

absl::StatusOr<LineSocket> Connect(const std::string& host, int64_t port, absl::Duration patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return absl::NotFoundError(::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int last = -EHOSTUNREACH;
  const absl::Duration deadline = RealClock().Steady() + patience;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    last = ConnectTo(*one, deadline - RealClock().Steady());
    if (last >= 0) return LineSocket(last);
  }
  return absl::UnavailableError(std::strerror(-last));
}

std::string HostAndPort(const std::string& host, int64_t port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

}  // namespace scm::gang
