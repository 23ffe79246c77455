#include "scmctl/progress.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "scmctl/render/terminal.h"

namespace scm::ctl {
namespace {

constexpr int64_t kWorthShowing = 8 << 20;  // bytes
constexpr std::chrono::milliseconds kRedraw(200);

}  // namespace

std::string ProgressLine(const std::string& what, int64_t done, int64_t total, int columns) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  return Fit(absl::StrFormat("%s  %3.0f %% of %s", what, 100 * share, HumanBytes(total)), columns);
}

DownloadOptions ShowProgress(const std::string& what) {
  DownloadOptions how;
  if (isatty(STDERR_FILENO) == 0) return how;
  const auto drawn = std::make_shared<std::chrono::steady_clock::time_point>();
  how.progress = [what, drawn](int64_t done, int64_t total) {
    if (total < kWorthShowing) return;
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - *drawn < kRedraw) return;
    *drawn = now;
    // The line is cleared when everything is here: what follows names the files.
    const std::string line = done < total ? ProgressLine(what, done, total, 79) : "";
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
  };
  return how;
}

}  // namespace scm::ctl
