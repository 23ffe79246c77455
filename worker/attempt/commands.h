// Which programs this worker may start for an experiment. The only file-system look-ups are those
// that decide what a word of the command names.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace scm::worker {

struct CommandRules {
  std::string program_directory;     // where the built-in programs lie
  std::vector<std::string> allowed;  // absolute paths (--allow-trainer)
  std::string search_path;           // $PATH, for interpreters
};

// The command as it is executed, with an absolute first word.
//  1. A first word without a slash that is scm-trainer, scm-evaluator or scm-report: the built-in
//     program. Always allowed.
//  2. A first word with a slash: allowed if exactly that absolute path is on the list.
//  3. A first word without a slash that is an interpreter (python3, bash, …): found on $PATH, and
//     allowed if it is on the list itself, or if the *second* word is a path that is on the list
//     (`python3 /opt/train.py`); options before the script are not taken, since `-c` runs anything.
//  4. In 2 and 3 every further word that names an executable file or a script (`#!`) must be on the
//     list too; see CheckArguments.
// PERMISSION_DENIED says which word is not allowed and how to allow it; INVALID_ARGUMENT: empty or
// relative command; NOT_FOUND: a built-in program or an interpreter is not installed.
absl::StatusOr<std::vector<std::string>> ResolveCommand(const std::vector<std::string>& command,
                                                        const CommandRules& rules);

// What the worker says of itself at registration, so that nothing is sent to it in vain: the
// built-in programs that are installed, and the paths that are allowed.
std::vector<std::string> OfferedPrograms(const CommandRules& rules);

// Rule 4 for a resolved command that is started in `directory`, to be asked when everything lies
// there that it will find. A name may be the whole word, what follows `=` (--script=NAME) or a
// short option (-fNAME); one that is relative means below `directory`, may not lead out of it, and
// is never on the list. Nothing counts that means another file to every process (/proc/self,
// /dev/fd).
absl::Status CheckArguments(const std::vector<std::string>& command, const CommandRules& rules,
                            const std::string& directory);

}  // namespace scm::worker
