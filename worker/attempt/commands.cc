#include "worker/attempt/commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/trainer_command.h"

namespace scm::worker {
namespace {

template <typename List>
bool IsOneOf(const std::string& word, const List& list) {
  return std::any_of(std::begin(list), std::end(list), [&](const auto& w) { return word == w; });
}

bool HasSlash(const std::string& word) { return word.find('/') != std::string::npos; }

absl::Status NotAllowed(const std::string& word) {
  return absl::PermissionDeniedError(absl::StrCat("this worker does not allow the program ", word,
                                                  "; start it with --allow-trainer ", word,
                                                  " to allow it"));
}

bool IsRegularFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// Something that could be run: by its permission bits, or because it says so itself.
bool IsProgram(const std::string& path) {
  if (!IsRegularFile(path)) return false;
  if (access(path.c_str(), X_OK) == 0) return true;
  return ReadFileAt(path, 0, 2).value_or("") == "#!";
}

std::string FindOnPath(const std::string& word, const std::string& search_path) {
  for (absl::string_view directory : absl::StrSplit(search_path, ':', absl::SkipEmpty())) {
    const std::string path = absl::StrCat(directory, "/", word);
    if (directory.front() == '/' && IsRegularFile(path) && access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return "";
}

// The first word, made absolute.
absl::StatusOr<std::string> ResolveProgram(const std::vector<std::string>& command,
                                           const CommandRules& rules) {
  const std::string& word = command[0];
  if (HasSlash(word)) {
    if (word[0] != '/') {
      return absl::InvalidArgumentError(
          absl::StrCat("the program ", word, " must be an absolute path"));
    }
    if (!IsOneOf(word, rules.allowed)) return NotAllowed(word);
    return word;
  }
  if (!IsInterpreter(word)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "trainer.command begins with ", word, ", which is neither a built-in program (",
        "scm-trainer, scm-evaluator, scm-report) nor a known interpreter; give the "
        "program's absolute path and allow it with --allow-trainer"));
  }
  const std::string path = FindOnPath(word, rules.search_path);
  if (path.empty()) {
    return absl::NotFoundError(absl::StrCat(word, " is not on this worker's PATH"));
  }
  if (IsOneOf(path, rules.allowed)) return path;
  if (command.size() < 2 || !HasSlash(command[1])) {
    return absl::PermissionDeniedError(absl::StrCat(
        "after ", word, " this worker expects the path of an allowed script (", word,
        " /path/script, with --allow-trainer /path/script), or --allow-trainer ", path));
  }
  if (!IsOneOf(command[1], rules.allowed)) return NotAllowed(command[1]);
  return path;
}

// What an argument may name: itself, what follows each '=', what follows the letter of an option.
std::vector<std::string> NamesIn(const std::string& word) {
  std::vector<std::string> names = {word};
  for (size_t at = word.find('='); at != word.npos; at = word.find('=', at + 1)) {
    names.push_back(word.substr(at + 1));
  }
  if (word.size() > 2 && word[0] == '-' && word[1] != '-') names.push_back(word.substr(2));
  return names;
}

bool LeadsOut(const std::string& relative) {
  const std::string normal = AbsolutePath(relative, ".");
  return normal == ".." || absl::StartsWith(normal, "../");
}

absl::Status CheckName(const std::string& name, const CommandRules& rules,
                       const std::string& directory) {
  if (name.empty()) return absl::OkStatus();
  if (name[0] == '/') {
    const std::string normal = AbsolutePath(name, "/");
    for (const char* own : {"/proc/self", "/proc/thread-self", "/dev/fd", "/dev/stdin"}) {
      if (absl::StartsWith(normal, own)) return NotAllowed(name);
    }
    return IsProgram(name) && !IsOneOf(name, rules.allowed) ? NotAllowed(name) : absl::OkStatus();
  }
  if (LeadsOut(name)) {
    return absl::PermissionDeniedError(
        absl::StrCat("the argument ", name,
                     " leads out of the attempt's directory; give an absolute "
                     "path, and allow it with --allow-trainer if it is a program"));
  }
  const std::string path = absl::StrCat(directory, "/", name);
  return IsProgram(path) ? NotAllowed(path) : absl::OkStatus();
}

}  // namespace

std::vector<std::string> OfferedPrograms(const CommandRules& rules) {
  std::vector<std::string> offered;
  for (const char* program : kBuiltInPrograms) {
    if (FileExists(absl::StrCat(rules.program_directory, "/", program))) offered.push_back(program);
  }
  offered.insert(offered.end(), rules.allowed.begin(), rules.allowed.end());
  return offered;
}

absl::StatusOr<std::vector<std::string>> ResolveCommand(const std::vector<std::string>& command,
                                                        const CommandRules& rules) {
  if (command.empty() || command[0].empty()) {
    return absl::InvalidArgumentError("the command is empty");
  }
  std::vector<std::string> resolved = command;
  if (IsBuiltInProgram(command[0])) {
    resolved[0] = absl::StrCat(rules.program_directory, "/", command[0]);
    if (!FileExists(resolved[0])) {
      return absl::NotFoundError(absl::StrCat(
          resolved[0], " is not installed beside scm-worker (was it built without libtorch?)"));
    }
    return resolved;
  }
  absl::StatusOr<std::string> program = ResolveProgram(command, rules);
  if (!program.ok()) return program.status();
  resolved[0] = *program;
  return resolved;
}

absl::Status CheckArguments(const std::vector<std::string>& command, const CommandRules& rules,
                            const std::string& directory) {
  for (const char* built_in : kBuiltInPrograms) {
    if (command[0] == absl::StrCat(rules.program_directory, "/", built_in)) return absl::OkStatus();
  }
  for (size_t i = 1; i < command.size(); ++i) {
    for (const std::string& name : NamesIn(command[i])) {
      const absl::Status status = CheckName(name, rules, directory);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace scm::worker
