// The report task's input, stored as an artifact before the task starts.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// Store's thread. Writes the report's input as artifact "report_data-ATTEMPT" of the report task
// and returns its id.
absl::StatusOr<std::string> WriteReportData(ControllerContext& context, const Task& task);

}  // namespace scm::controller
