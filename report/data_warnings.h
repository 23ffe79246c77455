// What the checks of the data said, from report_data.json. Pure.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"

namespace scm::report {

// Every warning once: those that what is tested was trained first, the others as they came.
std::vector<std::string> DataWarnings(const Json& data);

}  // namespace scm::report
