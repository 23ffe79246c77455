#include "common/trainer_command.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm {
namespace {

constexpr const char* kInterpreters[] = {"python3", "python", "bash", "sh",  "perl",
                                         "Rscript", "julia",  "node", "ruby"};

template <typename List>
bool IsOneOf(const std::string& word, const List& list) {
  return std::any_of(std::begin(list), std::end(list), [&](const auto& w) { return word == w; });
}

}  // namespace

bool IsBuiltInProgram(const std::string& word) { return IsOneOf(word, kBuiltInPrograms); }
bool IsInterpreter(const std::string& word) { return IsOneOf(word, kInterpreters); }
std::string InterpreterList() { return absl::StrJoin(kInterpreters, ", "); }

std::string WordNotAllowed(const std::vector<std::string>& command,
                           const std::vector<std::string>& trainers) {
  if (trainers.empty() || command.empty() || IsOneOf(command[0], trainers)) return "";
  if (!IsInterpreter(command[0])) return command[0];
  // Only the worker knows which of the paths that end like this is on its PATH.
  const std::string ending = absl::StrCat("/", command[0]);
  if (std::any_of(trainers.begin(), trainers.end(),
                  [&](const std::string& path) { return absl::EndsWith(path, ending); })) {
    return "";
  }
  if (command.size() < 2 || !absl::StrContains(command[1], '/')) return command[0];
  return IsOneOf(command[1], trainers) ? "" : command[1];
}

std::string NoWorkerAllows(const std::string& word) {
  if (IsBuiltInProgram(word)) {
    return absl::StrCat("no worker has ", word,
                        "; install one that was built with it (libtorch is needed)");
  }
  if (absl::StrContains(word, '/')) {
    return absl::StrCat("no worker allows ", word, "; start one with --allow-trainer ", word);
  }
  return absl::StrCat("no worker allows ", word,
                      "; name the script by its absolute path after it and start a worker with "
                      "--allow-trainer PATH");
}

}  // namespace scm
