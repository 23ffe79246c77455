// Shell completion scripts: verbs, flags, and ids and names asked from the coordinator.
#pragma once

#include <string>

namespace scm {

// For "bash" or "zsh".
std::string CompletionScript(const std::string& shell);

}  // namespace scm
