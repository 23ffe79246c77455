// The log of everything that the controller was told, with the time at which it was: whoever gives
// the same to another controller gets the same state, event for event and byte for byte.
#pragma once

#include "coordinator/controller/inputs.h"
#include "coordinator/state/timeline.h"

namespace scm::controller {

// Called on the controller's thread, in order; must not block.
class InputJournal {
 public:
  virtual ~InputJournal() = default;
  // Before the input is applied.
  virtual void Took(const state::ClockReading& reading, const Input& input) = 0;
  // What was taken until now is in the store.
  virtual void Committed(const state::ClockReading& reading) = 0;
};

}  // namespace scm::controller
