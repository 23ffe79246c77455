// Runs the training passes of a model: as they are, recorded once and replayed (CUDA graphs), or
// looked at for what a replay needs (replay_check.h). One owner, one thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace scm::trainer {

class PassRunner {
 public:
  virtual ~PassRunner() = default;
  // Runs `pass`, or what is recorded of it. Two passes of the same `key` do the same with the same
  // memory: whatever differs between them lies in that memory. `pass` allocates nothing that it
  // keeps, and waits for nothing.
  virtual absl::Status Run(const std::string& key, const std::function<void()>& pass) = 0;
  // Memory that passes used has been replaced: what was recorded before must not be run again.
  virtual void Forget() = 0;
};

}  // namespace scm::trainer
