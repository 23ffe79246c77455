// flock(2) for directories that one process owns: a coordinator's data, a worker's work.
#pragma once

#include "absl/time/time.h"

namespace scm {

// Takes the exclusive lock on `fd` for as long as it is open; false where somebody still holds it
// after `patience`. A process that was killed holds its locks until the kernel has ended the last
// of its threads, which is after others see it as gone: whoever takes its place must wait a moment.
// May block for `patience`; errno says more where another reason than a holder is in the way.
bool TakeFileLock(int fd, absl::Duration patience = absl::Seconds(2));

}  // namespace scm
