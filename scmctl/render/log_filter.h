// The output of programs, shown on a terminal: what they print may name colours, nothing else.
// Whoever pipes `scmctl logs` gets the bytes as they are. One thread.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace scm::ctl {

class LogFilter {
 public:
  // With `colour`, sequences that set colours and weight (SGR) pass.
  explicit LogFilter(bool colour) : colour_(colour) {}

  // What of the next piece may be shown. Sequences and characters may be cut anywhere between
  // pieces.
  std::string Feed(absl::string_view bytes);
  // The rest: a character that was cut off at the end.
  std::string Finish();

 private:
  enum class State {
    kText,
    kEscape,   // after ESC
    kControl,  // ESC [ … : ends with a byte from @ to ~
    kString,   // titles, clipboards, links (OSC, DCS, APC, PM, SOS): ends with BEL or ESC backslash
    kStringEscape,
  };
  void Take(char c, std::string& text);

  bool colour_;
  State state_ = State::kText;
  std::string sequence_;  // of the control sequence that is open
  size_t skipped_ = 0;    // bytes of the string that is open
  std::string partial_;   // the beginning of a character
};

}  // namespace scm::ctl
