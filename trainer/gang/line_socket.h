// TCP between the ranks of a gang, a line at a time: for joining and for signs of life, not for
// numbers. Nothing here blocks longer than it is told. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace scm::gang {

// A connected socket. Owns its descriptor.
class LineSocket {
 public:
  explicit LineSocket(int fd) : fd_(fd) {}
  ~LineSocket();
  LineSocket(LineSocket&& other) noexcept;
  LineSocket& operator=(LineSocket&& other) noexcept;

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close();
  // Whether the line and its end were taken within `patience`.
  bool Send(const std::string& line, absl::Duration patience = absl::ZeroDuration());
  // Appends the whole lines that have come. False at the end of the connection, or when a line
  // grows beyond what one of a gang has.
  bool Receive(std::vector<std::string>* lines);
  // Addresses of this end and of the other, as numbers; "" where they cannot be told.
  std::string OwnAddress() const;
  std::string PeerAddress() const;

 private:
  int fd_ = -1;
  std::string pending_;
};

// Listens on every address of the host.
class Listener {
 public:
  // UNAVAILABLE when the port is taken. 0 = any.
  static absl::StatusOr<Listener> Open(int64_t port);
  explicit Listener(int fd) : fd_(fd) {}
  ~Listener();
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;

  int fd() const { return fd_; }
  int64_t port() const;
  // The next connection, or a closed socket if none waits.
  LineSocket Accept();

 private:
  int fd_ = -1;
};

// One try, of every address that `host` has. UNAVAILABLE says why: "connection refused". NOT_FOUND:
// the name has no address here.
absl::StatusOr<LineSocket> Connect(const std::string& host, int64_t port, absl::Duration patience);

// "10.0.0.7:20001", "[fe80::1]:20001".
std::string HostAndPort(const std::string& host, int64_t port);

}  // namespace scm::gang
