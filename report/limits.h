// What the result does not show, as sentences. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm::report {

std::vector<std::string> LimitsOf(const Findings& findings);

}  // namespace scm::report
