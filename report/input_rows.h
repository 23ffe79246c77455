// What the report says of the inputs: which they were, and whether it was compared.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"

namespace scm::report {

// A row for each input: what it is, and its SHA-256 with what was done about it. `digests` is that
// of report_data.json, `compared` the `inputs` of evaluation.json (null if nothing was evaluated).
std::vector<std::vector<std::string>> InputRows(const Json& digests, const Json& compared);

}  // namespace scm::report
