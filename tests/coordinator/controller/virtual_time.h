// A virtual clock with what is due on it. Equal times keep the order in which they were asked for,
// so a simulation is a function of its seed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "absl/time/time.h"
#include "coordinator/state/timeline.h"

namespace scm::simulation {

class VirtualTime {
 public:
  absl::Time now() const { return now_; }
  // As the coordinator reads its clocks. Somebody may set the wall clock; nothing else follows it.
  state::ClockReading Clocks() const { return {now_ + wall_ahead_, now_ - absl::UnixEpoch()}; }
  void SetWall(absl::Duration by) { wall_ahead_ += by; }
  void After(absl::Duration delay, std::function<void()> what) {
    due_.emplace(std::pair(now_ + delay, next_++), std::move(what));
  }
  // Goes on to what is due next; false when nothing is.
  bool Step() {
    if (due_.empty()) return false;
    auto first = due_.extract(due_.begin());
    now_ = first.key().first;
    first.mapped()();
    return true;
  }

 private:
  absl::Duration wall_ahead_ = absl::ZeroDuration();
  absl::Time now_ = absl::FromUnixSeconds(1'790'000'000);
  int64_t next_ = 0;
  std::map<std::pair<absl::Time, int64_t>, std::function<void()>> due_;
};

}  // namespace scm::simulation
