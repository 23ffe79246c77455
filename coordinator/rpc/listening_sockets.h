// The sockets behind one HOST:PORT.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::rpc {

// Not thread-safe. Closes what it holds.
class ListeningSockets {
 public:
  // Listens on every address of the host; port 0 takes any. "0.0.0.0" and "[::]" are every address
  // of this machine, of both families. UNAVAILABLE when it is taken or not this machine's.
  static absl::StatusOr<ListeningSockets> Open(const std::string& address);
  ListeningSockets(ListeningSockets&& other) noexcept { *this = std::move(other); }
  ListeningSockets& operator=(ListeningSockets&& other) noexcept;
  ~ListeningSockets() { Close(); }

  // Closes them and listens anew on the same addresses and port.
  absl::Status Reopen();

  const std::vector<int>& fds() const { return fds_; }
  int port() const { return port_; }
  // An address by which this machine reaches the first of them.
  const sockaddr_storage& own_address() const { return own_; }

 private:
  ListeningSockets() = default;
  absl::Status BindAll();
  void Close();

  std::string address_;  // for messages
  std::vector<sockaddr_storage> wanted_;
  std::vector<int> fds_;
  sockaddr_storage own_{};
  int port_ = 0;
};

// "127.0.0.1:80", "[::1]:80"; IPv4 within IPv6 as IPv4. "" for another family.
std::string AddressText(const sockaddr_storage& address);
socklen_t AddressSize(const sockaddr_storage& address);
void SetPort(sockaddr_storage& address, int port);

}  // namespace scm::rpc
