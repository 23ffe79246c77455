// The daemon's own log: one line an event on stderr, with the time. Thread-safe.
#pragma once

#include "absl/strings/string_view.h"

namespace scm::worker {

void WorkerLog(absl::string_view text);

}  // namespace scm::worker
