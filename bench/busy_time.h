// How long a device was busy, from the spans of what ran on it. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace scm::bench {

struct BusySpan {
  uint64_t begin = 0, end = 0;  // nanoseconds
};

struct BusyTime {
  uint64_t whole = 0;  // from the first begin to the last end
  uint64_t busy = 0;   // of it, when something ran; what overlaps counts once
  // Of the whole, when nothing ran: 0 to 1.
  double gaps() const {
    return whole == 0 ? 0 : 1 - static_cast<double>(busy) / static_cast<double>(whole);
  }
};

// Spans in any order; those without a time (0) or that end before they begin are left out.
BusyTime BusyTimeOf(std::vector<BusySpan> spans);

}  // namespace scm::bench
