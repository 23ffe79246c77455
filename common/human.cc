#include "common/human.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace scm {

std::string HumanDuration(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return "for ever";
  const bool negative = duration < absl::ZeroDuration();
  const int64_t seconds = std::llround(absl::ToDoubleSeconds(absl::AbsDuration(duration)));
  const int64_t minutes = (seconds + 30) / 60, hours = minutes / 60;
  std::string text;
  if (seconds < 100) {
    text = absl::StrCat(seconds, " s");
  } else if (minutes < 100) {
    text = absl::StrCat(minutes, " min");
  } else if (hours < 48) {
    text = absl::StrFormat("%d h %02d", hours, minutes % 60);
  } else {
    text = absl::StrCat(hours / 24, " d ", hours % 24, " h");
  }
  return negative ? absl::StrCat("−", text) : text;
}

std::string HumanMoney(double amount, const std::string& currency) {
  if (!std::isfinite(amount)) return "–";
  const char* sign = amount < 0 ? "−" : "";
  // Sub-cent amounts keep two significant digits: a saving of 0.0004 is not 0.00.
  const double size = std::fabs(amount);
  const std::string number =
      size > 0 && size < 0.01 ? absl::StrFormat("%.2g", size) : absl::StrFormat("%.2f", size);
  if (currency == "USD") return absl::StrCat(sign, "$", number);
  if (currency == "EUR") return absl::StrCat(sign, "€", number);
  return absl::StrCat(sign, number, " ", currency);
}

std::string HumanBytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  int unit = 0;
  while (size >= 1000 && unit < 4) {
    size /= 1000;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", size, kUnits[unit]);
}

std::string Rfc3339(absl::Time time) {
  if (time == absl::InfinitePast()) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string ClockJumpText(absl::Duration jump) {
  return absl::StrCat("the wall clock was set ", jump < absl::ZeroDuration() ? "back" : "forward",
                      " by ", HumanDuration(absl::AbsDuration(jump)),
                      ": times of day follow it from now on; leases, money and whatever else lasts "
                      "do not");
}

std::string GibText(int64_t bytes) {
  return absl::StrCat(HumanNumber(static_cast<double>(bytes) / (int64_t{1} << 30)), " GiB");
}

std::string HumanNumber(double value, int digits) {
  if (std::isnan(value)) return "–";
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  return absl::StrFormat("%.*g", digits, value);
}

}  // namespace scm
