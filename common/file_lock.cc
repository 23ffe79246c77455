#include "common/file_lock.h"

#include <errno.h>
#include <sys/file.h>

#include "absl/time/clock.h"

namespace scm {

bool TakeFileLock(int fd, absl::Duration patience) {
  constexpr absl::Duration kPause = absl::Milliseconds(10);
  for (absl::Duration waited; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += kPause) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK || waited >= patience) return false;
    absl::SleepFor(kPause);
  }
  return true;
}

}  // namespace scm
