// The trainer's end of the protocol (docs/trainer-protocol.md): reports out, commands in.
#pragma once

#include <deque>
#include <string>

#include "common/json.h"

namespace scm::fake {

// One thread only.
class Protocol {
 public:
  // Reports go to SCM_REPORT_FD, or to stdout without it. `bare_nan`: as Python's json prints.
  explicit Protocol(bool bare_nan);

  void Report(const Json& report);
  // Half a line, as a crash in the middle of a write leaves it.
  void ReportTorn(const Json& report);
  // The next command; a null value if there is none yet. Waits at most `wait_ms`.
  Json NextCommand(int wait_ms);

 private:
  void Write(const std::string& text);

  int fd_;
  bool bare_nan_;
  std::string input_;
};

}  // namespace scm::fake
