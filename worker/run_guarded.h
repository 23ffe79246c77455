// How the worker runs what was handed to one of its threads.
#pragma once

#include <functional>

#include "absl/strings/str_cat.h"
#include "common/guard.h"
#include "worker/log.h"

namespace scm::worker {

// A task that throws is lost, the thread that ran it is not.
inline void RunGuarded(const std::function<void()>& task) {
  const absl::Status status = Guarded("a task of the worker", task);
  if (!status.ok()) WorkerLog(absl::StrCat("a fault of this program: ", status.message()));
}

}  // namespace scm::worker
