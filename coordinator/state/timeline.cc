#include "coordinator/state/timeline.h"

#include <algorithm>
#include <cstdlib>

namespace scm::state {
namespace {

// A wall clock that is set again and again must not make the record grow for ever: the oldest
// settings are forgotten first.
constexpr size_t kMaxOffsets = 64;

absl::Time TimeFrom(const std::string& text, absl::Time otherwise) {
  absl::Time time = otherwise;
  std::string error;
  absl::ParseTime(absl::RFC3339_full, text, &time, &error);
  return time;
}

std::string TextOf(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

}  // namespace

Timeline::Timeline(const Json& stored, const ClockReading& reading, std::string boot)
    : boot_(std::move(boot)) {
  absl::Time begin = reading.wall;
  if (stored.is_object()) {
    const absl::Time then = TimeFrom(StringAt(stored, "time"), reading.wall);
    const absl::Duration steady = absl::Nanoseconds(IntegerAt(stored, "steady_ns", 0));
    const bool same_boot =
        !boot_.empty() && StringAt(stored, "boot") == boot_ && steady <= reading.steady;
    down_ = same_boot ? reading.steady - steady
                      : std::max(absl::ZeroDuration(),
                                 reading.wall - TimeFrom(StringAt(stored, "wall"), reading.wall));
    begin = then + down_;
    offsets_.clear();
    for (const Json& entry : MemberAt(stored, "offsets")) {
      offsets_.emplace_back(TimeFrom(StringAt(entry, "since"), absl::InfinitePast()),
                            absl::Nanoseconds(IntegerAt(entry, "ns", 0)));
    }
    if (offsets_.empty()) offsets_.emplace_back(absl::InfinitePast(), absl::ZeroDuration());
  }
  origin_ = begin - reading.steady;
}

absl::Duration Timeline::OffsetAt(absl::Time at) const {
  const auto after = std::find_if(offsets_.begin() + 1, offsets_.end(),
                                  [&](const auto& entry) { return entry.first > at; });
  return std::prev(after)->second;
}

std::optional<absl::Duration> Timeline::Jump(const ClockReading& reading) const {
  const absl::Duration jump = OffsetOf(reading) - offsets_.back().second;
  if (absl::AbsDuration(jump) < kSmallestJump) return std::nullopt;
  return jump;
}

void Timeline::SetTo(const ClockReading& reading) {
  offsets_.emplace_back(At(reading.steady), OffsetOf(reading));
  if (offsets_.size() <= kMaxOffsets) return;
  offsets_.erase(offsets_.begin());
  offsets_.front().first = absl::InfinitePast();
}

Json Timeline::ToJson(const ClockReading& reading) const {
  Json offsets = Json::array();
  for (const auto& [since, offset] : offsets_) {
    offsets.push_back(
        {{"since", since == absl::InfinitePast() ? Json(nullptr) : Json(TextOf(since))},
         {"ns", absl::ToInt64Nanoseconds(offset)}});
  }
  return {{"time", TextOf(At(reading.steady))},
          {"wall", TextOf(reading.wall)},
          {"steady_ns", absl::ToInt64Nanoseconds(reading.steady)},
          {"boot", boot_},
          {"offsets", std::move(offsets)}};
}

}  // namespace scm::state
