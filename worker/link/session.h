// Keeps one session with the coordinator: dials, registers, notices silence, dials again with
// back-off and jitter. Lives on the daemon's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/rng.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

class Session {
 public:
  struct Hooks {
    std::function<Register()> hello;  // asked for at every dial
    // Every message of the coordinator, Registered first.
    std::function<void(const CoordinatorMessage&)> on_message;
    std::function<void(std::function<void()>)> post;  // to the loop, from any thread
  };
  // `seed` differs between workers, so that they do not dial in step. What the client says after
  // the session is destroyed, or what of it still waits in the loop then, is dropped.
  Session(CoordinatorClient& client, Clock& clock, uint64_t seed, Hooks hooks);

  // Dials when it is time to. To be called when that is due.
  void Proceed();
  // Clock::Steady(); InfiniteDuration() while only a message can bring something new.
  absl::Duration Due() const;
  bool registered() const { return state_ == State::kRegistered; }
  // Ends the session, after what is queued was written, and dials no more.
  void Close();
  bool closed() const { return closing_ && state_ == State::kDisconnected; }

 private:
  enum class State { kDisconnected, kDialling, kRegistered };

  void OnMessage(int64_t session, const CoordinatorMessage& message);
  void OnEnded(const absl::Status& status);

  CoordinatorClient& client_;
  Clock& clock_;
  Hooks hooks_;
  Philox jitter_;
  State state_ = State::kDisconnected;
  bool closing_ = false;
  int64_t session_ = 0;  // number of the present one; messages of earlier ones are dropped
  int failures_ = 0;     // dials in a row that did not get to Registered
  absl::Duration next_dial_ = absl::ZeroDuration();  // Clock::Steady()
  absl::Duration dialled_at_ = absl::ZeroDuration();
  std::string last_problem_;
  // Messages wait in the loop without keeping this alive; they look here first. Only the loop's
  // thread destroys a session, so looking is enough.
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace scm::worker
