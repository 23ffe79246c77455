// How scm writes numbers for people, and times for programs. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace scm {

// "42 s", "31 min", "4 h 10", "3 d 2 h".
std::string HumanDuration(absl::Duration duration);
// "$9.80" for USD, "€9.80" for EUR, "9.80 CLP" otherwise.
std::string HumanMoney(double amount, const std::string& currency);
// "4.2 MB" (decimal units).
std::string HumanBytes(int64_t bytes);
// "79.6 GiB" (binary units, as memory is sold).
std::string GibText(int64_t bytes);
// "the wall clock was set forward by 1 h: …": what a jump means for who reads times of day.
std::string ClockJumpText(absl::Duration jump);
// RFC 3339 in UTC with milliseconds; "" for InfinitePast, which stands for "never".
std::string Rfc3339(absl::Time time);
// Shortest decimal that reads well: up to `digits` significant digits, "–" for NaN.
std::string HumanNumber(double value, int digits = 3);

}  // namespace scm
