// torch has some operations for GPUs alone. Here they are registered for the CPU as well, in plain
// arithmetic, with the checks of their arguments that torch makes on a GPU, and some of ours: what
// differs from how they should be called throws.
#pragma once

#include <cstdint>

namespace scm::trainer {

// Of attention over packed documents, since the program started; and of its last call.
struct FlashCalls {
  int64_t forward = 0, backward = 0;
  int64_t documents = 0, longest = 0;
  const void* starts = nullptr;
};
FlashCalls& SeenFlashCalls();

}  // namespace scm::trainer
