// report lint: sentences of a draft held against a report that lies on this machine.
#pragma once

#include "scmctl/app.h"

namespace scm::ctl {

// Below the verb `report`.
void AddLintCommand(CLI::App& report, App& app);

}  // namespace scm::ctl
