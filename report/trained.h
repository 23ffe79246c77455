// What was trained, on what and how far: sentences for the first page, numbers for report.json.
// From report_data.json alone. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm::report {

// Sentences in the order of reading: model and adapters, data, sweep, seeds, export.
std::vector<std::string> TrainedSentences(const Findings& findings);

// `trained` of report.json (docs/report-data.md).
Json TrainedJson(const Findings& findings);

}  // namespace scm::report
