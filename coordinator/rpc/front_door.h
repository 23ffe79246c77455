// The door through which every gRPC connection comes: it accepts, keeps a reserve of descriptors,
// shows out who presents no token, and looks from outside whether it still opens
// (docs/adr/0017-a-front-door-of-our-own.md). gRPC's own listener stays shut once descriptors ran
// out, and nobody notices.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/rpc/listening_sockets.h"

namespace scm::rpc {

struct FrontDoorOptions {
  std::string listen = "127.0.0.1:0";                 // HOST:PORT, port 0 = any
  int64_t descriptors = 1024;                         // the limit of this process
  absl::Duration token_patience = absl::Seconds(10);  // for a token, after a connection was made
  absl::Duration check_period = absl::Seconds(5);
  // After connections were turned away for lack of room, it is "in trouble" for so long.
  absl::Duration trouble_memory = absl::Seconds(10);
};

// Thread-safe but for Serve. Owns two threads: one accepts, one looks from outside.
class FrontDoor {
 public:
  // Takes ownership of a connected, non-blocking descriptor.
  using Hand = std::function<void(int fd)>;

  // Listens; nobody is let in before Serve. UNAVAILABLE when the address is taken.
  static absl::StatusOr<std::unique_ptr<FrontDoor>> Open(const FrontDoorOptions& options);
  ~FrontDoor();

  // `hand` is called on the accepting thread. `answers` is asked once a check on the other one: an
  // error says that calls are not answered behind the door.
  void Serve(Hand hand, std::function<absl::Status()> answers);

  // Lets nobody in any more and waits for both threads; Proven may go on being called.
  void Close();

  // The peer of a call ("ipv4:127.0.0.1:4711", as gRPC names it) has shown a token that is right.
  void Proven(const std::string& peer);

  // "" while everybody who comes is let in; else why not, for /readyz.
  std::string Trouble() const;
  int port() const { return port_; }
  // How many connections may be without a token at once; beyond, the oldest goes.
  size_t places() const { return places_; }

 private:
  struct Guest {
    std::string peer;
    int fd;  // a second descriptor of the connection: it can be ended without racing its owner
    absl::Time since;
  };
  using Guests = std::list<Guest>;  // the oldest first

  FrontDoor(FrontDoorOptions options, ListeningSockets sockets);
  void Accept();                // the accepting thread
  void TakeFrom(int listener);  // everybody who waits there
  void Welcome(int fd, const sockaddr_storage& peer);
  void ShowOut();  // guests that are late, or gone by themselves
  void DropOldest();
  void Forget(Guests::iterator guest);
  void TurnedAway(std::string why);
  void Watch();  // the looking thread
  absl::Status Check();
  absl::Status Knock();

  const FrontDoorOptions options_;
  const int64_t reserve_;  // descriptors that connections never take
  const size_t places_;
  ListeningSockets sockets_;  // of the accepting thread, once it runs
  const sockaddr_storage own_address_;
  const int port_;
  Hand hand_;
  std::function<absl::Status()> answers_;
  int spare_ = -1;  // given up for a moment to refuse a connection when there is no other left
  int wake_ = -1;   // eventfd

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, reopen_ = false;
  Guests guests_;
  std::unordered_map<std::string, Guests::iterator> by_peer_;
  std::string knocking_;  // our own address of the check that is under way
  bool knock_heard_ = false;
  std::string turned_away_, shut_;  // why, of the last time; why the last check failed
  absl::Time turned_away_at_ = absl::InfinitePast();
  std::thread accepting_, watching_;
};

// The key of a peer as gRPC names it: "ipv6:%5Bfe80::1%25eth0%5D:80" → "[fe80::1]:80". Pure.
std::string PeerAddress(absl::string_view grpc_peer);

}  // namespace scm::rpc
