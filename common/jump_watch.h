// Notices when somebody sets the wall clock. Pure; one thread.
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace scm {

class JumpWatch {
 public:
  // Smaller differences between the clocks are left alone until they add up.
  static constexpr absl::Duration kSmallest = absl::Seconds(1);

  // By how much the wall clock was set since the last look, forward being positive; mostly zero.
  absl::Duration Observe(absl::Time wall, absl::Duration steady) {
    const absl::Time began = wall - steady;
    const absl::Duration jump = began - began_.value_or(began);
    if (began_ && absl::AbsDuration(jump) < kSmallest) return absl::ZeroDuration();
    began_ = began;
    return jump;
  }

 private:
  std::optional<absl::Time> began_;  // what the wall clock said when the steady one stood at zero
};

}  // namespace scm
