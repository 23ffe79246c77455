// Fetching what an experiment leaves: report, adapters. One thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "scmctl/client.h"

namespace scm {

struct ReportFiles {
  std::string directory;  // absolute
  bool interim = false;   // there is no report yet: one was rendered of what is known so far
  bool adapters = false;  // some lie in directory/adapters
};

// Writes report.{html,md,json} and adapters/seed-N below `directory`; "" is ./runs/NAME-ID.
// `experiment` is the member of that name of a status answer.
absl::StatusOr<ReportFiles> FetchReport(Client& client, const Json& experiment,
                                        std::string directory);

}  // namespace scm
