// How far a download is, on standard error, for people who wait.
#pragma once

#include <string>

#include "scmctl/download.h"

namespace scm::ctl {

// "model  34 % of 270.0 MB" on one line that is redrawn a few times a second; nothing where
// standard error is no terminal, and nothing for what is here at once.
DownloadOptions ShowProgress(const std::string& what);

// The line itself, for `columns`.
std::string ProgressLine(const std::string& what, int64_t done, int64_t total, int columns);

}  // namespace scm::ctl
