#include "worker/link/session_secret.h"

namespace scm::worker {

void SessionSecret::Dialling() {
  const std::lock_guard lock(mutex_);
  dialling_ = true;
}

void SessionSecret::Set(const std::string& secret) {
  const std::lock_guard lock(mutex_);
  secret_ = secret;
  dialling_ = false;
  changed_.notify_all();
}

void SessionSecret::GiveUp() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  changed_.notify_all();
}

std::string SessionSecret::Await(const std::string& last) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, absl::ToChronoMilliseconds(kPatience),
                    [&] { return given_up_ || (!dialling_ && (last.empty() || secret_ != last)); });
  return secret_;
}

}  // namespace scm::worker
