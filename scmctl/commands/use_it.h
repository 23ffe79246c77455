// README.md of a report's directory: what lies there and how to use it, in short. docs/use-it.md is
// the long form.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace scm::ctl {

struct UseIt {
  std::string name, experiment;
  bool adapters = false, adapter = false, model = false;  // which of the folders are there
};

std::string UseItText(const UseIt& what);

// Writes it unless a README.md of somebody else lies there.
absl::Status WriteUseIt(const UseIt& what, const std::string& directory);

}  // namespace scm::ctl
