// The report of an experiment: JSON in, three texts out. Pure and deterministic: the same input
// gives the same bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::report {

struct RenderedReport {
  std::string json, markdown, html;
  Json summary;  // of the task's `done`: decision, headline, reason, advice, gates
};

// `data` is report_data.json, `evaluation` evaluation.json or null (docs/report-data.md).
// INVALID_ARGUMENT names what is missing from them.
absl::StatusOr<RenderedReport> RenderReport(const Json& data, const Json* evaluation);

}  // namespace scm::report
