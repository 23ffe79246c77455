#include "coordinator/core/search/rung.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm::search {
namespace {

// "1st", "2nd", "11th".
std::string Ordinal(size_t n) {
  const size_t tens = n % 100;
  const char* suffix = "th";
  if (tens < 11 || tens > 13) {
    if (n % 10 == 1) suffix = "st";
    if (n % 10 == 2) suffix = "nd";
    if (n % 10 == 3) suffix = "rd";
  }
  return absl::StrCat(n, suffix);
}

std::string Place(const std::vector<RungEntry>& entries, size_t index, int64_t step) {
  return absl::StrCat(Ordinal(index + 1), " of ", entries.size(), " at step ", step);
}

}  // namespace

size_t InsertAtRung(const TrialId& trial, double value, Better better,
                    std::vector<RungEntry>& entries) {
  const auto before = [better](double a, double b) {
    return better == Better::kLower ? a < b : a > b;
  };
  const auto at =
      std::upper_bound(entries.begin(), entries.end(), value,
                       [&](double v, const RungEntry& entry) { return before(v, entry.value); });
  const size_t index = static_cast<size_t>(at - entries.begin());
  entries.insert(at, {trial, value});
  return index;
}

RungVerdict JudgeAtRung(const std::vector<RungEntry>& entries, size_t index, int64_t step,
                        int64_t eta) {
  const size_t share = entries.size() / static_cast<size_t>(eta);
  RungVerdict verdict;
  verdict.continues = index < std::max<size_t>(share, 1);
  const std::string place = Place(entries, index, step);
  if (verdict.continues) {
    verdict.reason = absl::StrCat(place, ": continues (",
                                  share > 0 ? absl::StrCat("top 1/", eta) : "the best so far", ")");
    return verdict;
  }
  size_t tied = 0;
  while (tied < index && entries[index - tied - 1].value == entries[index].value) ++tied;
  const std::string tie =
      tied == 0
          ? ""
          : absl::StrCat("; ", tied, tied == 1 ? " earlier trial has" : " earlier trials have",
                         " the same value");
  verdict.reason = absl::StrCat(
      place, ": stops (",
      share > 0 ? absl::StrCat("not in the top 1/", eta) : absl::StrCat("not the best so far"), tie,
      ")");
  return verdict;
}

std::string LastRungReason(const std::vector<RungEntry>& entries, size_t index, int64_t step) {
  return absl::StrCat(Place(entries, index, step), ", the last rung: runs to its end");
}

}  // namespace scm::search
