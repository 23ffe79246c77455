#include "coordinator/rpc/listening_sockets.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace scm::rpc {
namespace {

constexpr int kBacklog = 1024;

sockaddr_in& V4(sockaddr_storage& address) { return reinterpret_cast<sockaddr_in&>(address); }
sockaddr_in6& V6(sockaddr_storage& address) { return reinterpret_cast<sockaddr_in6&>(address); }
const sockaddr_in& V4(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in&>(address);
}
const sockaddr_in6& V6(const sockaddr_storage& address) {
  return reinterpret_cast<const sockaddr_in6&>(address);
}

sockaddr_storage Wildcard(int family) {
  sockaddr_storage address{};  // all zero is every address
  address.ss_family = static_cast<sa_family_t>(family);
  return address;
}

bool IsWildcard(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) return V4(address).sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&V6(address).sin6_addr);
}

int PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET ? V4(address).sin_port : V6(address).sin6_port);
}

// A socket that listens, or −1 with errno.
int ListenOn(const sockaddr_storage& address) {
  const int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // IPv4 has a socket of its own.
  if (address.ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), AddressSize(address)) == 0 &&
      listen(fd, kBacklog) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

socklen_t AddressSize(const sockaddr_storage& address) {
  return address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

void SetPort(sockaddr_storage& address, int port) {
  (address.ss_family == AF_INET ? V4(address).sin_port : V6(address).sin6_port) =
      htons(static_cast<uint16_t>(port));
}

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &V4(address).sin_addr, text, sizeof text);
    return absl::StrCat(text, ":", PortOf(address));
  }
  if (address.ss_family != AF_INET6) return "";
  const in6_addr& host = V6(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&host)) {
    inet_ntop(AF_INET, host.s6_addr + 12, text, sizeof text);
    return absl::StrCat(text, ":", PortOf(address));
  }
  inet_ntop(AF_INET6, &host, text, sizeof text);
  return absl::StrCat("[", text, "]:", PortOf(address));
}

absl::StatusOr<ListeningSockets> ListeningSockets::Open(const std::string& address) {
  ListeningSockets sockets;
  sockets.address_ = address;
  const size_t colon = address.rfind(':');
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (colon == address.npos) {
    return absl::InvalidArgumentError(absl::StrCat("--listen ", address, ": expected HOST:PORT"));
  }
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(std::string(host).c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ",
                                               gai_strerror(error), "; pass another --listen"));
  }
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, one->ai_addr, one->ai_addrlen);
    sockets.wanted_.push_back(storage);
    if (!IsWildcard(storage)) continue;
    sockaddr_storage other = Wildcard(storage.ss_family == AF_INET ? AF_INET6 : AF_INET);
    SetPort(other, PortOf(storage));
    sockets.wanted_.push_back(other);
  }
  freeaddrinfo(found);
  if (absl::Status status = sockets.BindAll(); !status.ok()) return status;
  return sockets;
}

ListeningSockets& ListeningSockets::operator=(ListeningSockets&& other) noexcept {
  std::swap(address_, other.address_);
  std::swap(wanted_, other.wanted_);
  std::swap(fds_, other.fds_);
  std::swap(own_, other.own_);
  std::swap(port_, other.port_);
  return *this;
}

absl::Status ListeningSockets::BindAll() {
  int error = EADDRNOTAVAIL;
  for (sockaddr_storage& address : wanted_) {
    const bool asked_for = PortOf(address) != 0;
    if (port_ != 0) SetPort(address, port_);  // the first one's, where any was asked for
    const int fd = ListenOn(address);
    if (fd < 0) {
      error = errno;
      if (error == EADDRINUSE && asked_for) {
        Close();
        break;
      }
      continue;  // a machine may lack one of the families
    }
    fds_.push_back(fd);
    if (fds_.size() > 1) continue;
    socklen_t size = sizeof own_;
    getsockname(fd, reinterpret_cast<sockaddr*>(&own_), &size);
    port_ = PortOf(own_);
    if (!IsWildcard(own_)) continue;
    if (own_.ss_family == AF_INET) {
      V4(own_).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      V6(own_).sin6_addr = in6addr_loopback;
    }
  }
  if (!fds_.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", address_, ": ", std::strerror(error),
                   ": the address is taken or not this machine's; pass another --listen"));
}

void ListeningSockets::Close() {
  for (const int fd : fds_) close(fd);
  fds_.clear();
}

absl::Status ListeningSockets::Reopen() {
  Close();
  return BindAll();
}

}  // namespace scm::rpc
