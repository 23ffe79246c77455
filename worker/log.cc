#include "worker/log.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/text.h"

namespace scm::worker {
namespace {

constexpr size_t kLongest = 16 << 10;

}  // namespace

void WorkerLog(absl::string_view text) {
  const std::string line =
      absl::StrCat(Rfc3339(RealClock().Now()), " ", TextOf(text, kLongest), "\n");
  // One write a line, so that lines of several threads do not mix.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace scm::worker
