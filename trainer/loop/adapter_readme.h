// The README.md of an adapter's directory: how peft opens it, and what it can and cannot find by
// itself. Pure.
#pragma once

#include <string>

namespace scm::trainer {

std::string AdapterReadme(const std::string& base_model);

}  // namespace scm::trainer
