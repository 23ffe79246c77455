// Fetching what an experiment leaves: report, adapters, the exported model. One thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "scmctl/client.h"

namespace scm::ctl {

struct ReportFiles {
  std::string directory;    // absolute
  bool interim = false;     // there is no report yet: one was rendered of what is known so far
  bool adapters = false;    // some lie in directory/adapters
  bool adapter = false;     // the exported seed's lies in directory/adapter
  int64_t model_bytes = 0;  // of the merged model in directory/model; 0 = none was exported
  // Why the exported model is not there although there is one; the rest is.
  absl::Status model;
};

struct ReportOptions {
  std::string directory;       // "" is ./runs/NAME-ID
  bool without_model = false;  // leaves the exported model where it is
  std::function<DownloadOptions(const std::string& what)>
      progress;  // of each download; may be empty
};

// Writes report.{html,md,json}, adapters/seed-N, adapter, model and a README.md that says how to
// use them below the directory. `experiment` is the member of that name of a status answer.
absl::StatusOr<ReportFiles> FetchReport(Client& client, const Json& experiment,
                                        const ReportOptions& options);

// The lines that name what was written, "  Report    DIR/report.html"; `prefix` begins each.
std::string DescribeFiles(const ReportFiles& files, const std::string& prefix);

}  // namespace scm::ctl
