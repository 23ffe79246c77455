// The coordinator's own time. It runs with a steady clock from the first start of a data directory
// on, goes on through restarts and never falls: leases, money, back-off, silence and forecasts are
// differences of it. It begins at what the wall clock said then; when that is set, only the times
// of day that people read change. Pure; a value, immutable once it is published.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/json.h"

namespace scm::state {

// What the machine's clocks say at one moment.
struct ClockReading {
  absl::Time wall;
  absl::Duration steady;  // Clock::Steady()
};

class Timeline {
 public:
  // Smaller differences between the clocks are left alone.
  static constexpr absl::Duration kSmallestJump = absl::Seconds(1);

  // Before the first reading: its own time is the time of day.
  Timeline() = default;
  // Goes on where `stored` (ToJson) stood; null = a first start. `boot` names the boot of the
  // machine: within one, its steady clock says how long the coordinator was down; across two only
  // the wall clock can, and a wall clock that went back counts as no time at all.
  Timeline(const Json& stored, const ClockReading& reading, std::string boot);

  // How long the coordinator was down; zero at a first start.
  absl::Duration down() const { return down_; }

  absl::Time At(absl::Duration steady) const { return origin_ + steady; }
  // The time of day at which `at` was, or will be if the wall clock is not set again. The infinite
  // times stay what they are.
  absl::Time Stamp(absl::Time at) const { return at + OffsetAt(at); }
  // The same by the wall clock as it stood at `then`.
  absl::Time StampAsOf(absl::Time at, absl::Time then) const { return at + OffsetAt(then); }

  // By how much the wall clock was set since the last SetTo, forward being positive.
  std::optional<absl::Duration> Jump(const ClockReading& reading) const;
  // From now on times of day follow this reading.
  void SetTo(const ClockReading& reading);

  Json ToJson(const ClockReading& reading) const;

 private:
  absl::Duration OffsetAt(absl::Time at) const;
  absl::Duration OffsetOf(const ClockReading& reading) const {
    return reading.wall - At(reading.steady);
  }

  absl::Time origin_ = absl::UnixEpoch();  // its time when the steady clock stood at zero
  std::string boot_;
  absl::Duration down_ = absl::ZeroDuration();
  // Since when (own time) the wall clock is ahead by how much; the first holds from ever.
  std::vector<std::pair<absl::Time, absl::Duration>> offsets_ = {
      {absl::InfinitePast(), absl::ZeroDuration()}};
};

}  // namespace scm::state
