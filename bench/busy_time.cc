#include "bench/busy_time.h"

#include <algorithm>

namespace scm::bench {

BusyTime BusyTimeOf(std::vector<BusySpan> spans) {
  std::erase_if(spans, [](const BusySpan& s) { return s.begin == 0 || s.end < s.begin; });
  std::sort(spans.begin(), spans.end(),
            [](const BusySpan& a, const BusySpan& b) { return a.begin < b.begin; });
  BusyTime time;
  if (spans.empty()) return time;
  uint64_t covered = spans.front().begin;  // up to here
  for (const BusySpan& span : spans) {
    if (span.end <= covered) continue;
    time.busy += span.end - std::max(covered, span.begin);
    covered = span.end;
  }
  time.whole = covered - spans.front().begin;
  return time;
}

}  // namespace scm::bench
