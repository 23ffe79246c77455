#include "experiment/command_checks.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/trainer_command.h"

namespace scm::experiment_file {
namespace {

constexpr char kKey[] = "trainer.command";
constexpr char kElf[] =
    "\x7f"
    "ELF";

enum class OnDisk { kMissing, kFile, kOther };

OnDisk KindOnDisk(const std::string& path, bool* executable) {
  struct stat info;
  *executable = false;
  if (stat(path.c_str(), &info) != 0) return OnDisk::kMissing;
  if (!S_ISREG(info.st_mode)) return OnDisk::kOther;
  *executable = access(path.c_str(), X_OK) == 0;
  return OnDisk::kFile;
}

void NotHere(const std::string& path, Findings& findings) {
  findings.WarningAt(
      kKey, absl::StrCat(path, " does not exist on this machine; the workers need it there"));
}

void CheckProgram(const std::string& path, Findings& findings) {
  bool executable;
  switch (KindOnDisk(path, &executable)) {
    case OnDisk::kMissing:
      return NotHere(path, findings);
    case OnDisk::kOther:
      return findings.ErrorAt(kKey, absl::StrCat(path, " is no file, so it cannot be started"));
    case OnDisk::kFile:
      break;
  }
  if (!executable) {
    return findings.ErrorAt(
        kKey, absl::StrCat(path, " is not executable. Make it so (chmod +x), or name its ",
                           "interpreter first, as in [python3, ", path, "]"));
  }
  const absl::StatusOr<std::string> start = ReadFileAt(path, 0, 4);
  // Programs may be executable without being readable; the system knows how to start them.
  if (!start.ok() || *start == kElf || absl::StartsWith(*start, "#!")) return;
  findings.ErrorAt(kKey,
                   absl::StrCat(path,
                                " is neither a program nor a script with a #! line, so it "
                                "cannot be started. Give it one, like #!/usr/bin/env python3"));
}

// The word after an interpreter: workers take the absolute path of a script there.
void CheckScript(const std::string& interpreter, const std::vector<std::string>& command,
                 const std::string& base, Findings& findings) {
  const std::string word = command.size() < 2 ? "" : command[1];
  if (word.empty() || word[0] == '-') {
    return findings.WarningAt(
        kKey, absl::StrCat("after ", interpreter, " comes ", word.empty() ? "nothing" : word,
                           ", so only workers that allow the interpreter itself start it "
                           "(--allow-trainer with its path); others expect the absolute path of a "
                           "script there"));
  }
  if (word[0] != '/') {
    return findings.ErrorAt(
        kKey, absl::StrCat(word, " is relative, and trainers start in a directory of their own. ",
                           "Write [", interpreter, ", ", AbsolutePath(word, base), "]"));
  }
  bool executable;
  const OnDisk found = KindOnDisk(word, &executable);
  if (found == OnDisk::kMissing) return NotHere(word, findings);
  if (found == OnDisk::kOther) {
    findings.ErrorAt(kKey, absl::StrCat(word, " is no file, so ", interpreter, " cannot run it"));
  }
}

}  // namespace

void CheckCommand(const TrainerSpec& trainer, const std::string& base, Findings& findings) {
  const std::string& word = trainer.command[0];
  if (findings.Failed(kKey) || trainer.built_in()) return;
  if (absl::StrContains(word, '/')) return CheckProgram(word, findings);
  if (IsInterpreter(word)) return CheckScript(word, trainer.command, base, findings);
  if (word == "scm-trainer") return;
  if (IsBuiltInProgram(word)) {
    return findings.ErrorAt(kKey, absl::StrCat(word, " is no trainer. Use scm-trainer"));
  }
  bool executable;
  const std::string beside = AbsolutePath(word, base);
  findings.ErrorAt(
      kKey, absl::StrCat(word, " is neither scm-trainer nor an interpreter that workers know (",
                         InterpreterList(), "). ",
                         KindOnDisk(beside, &executable) == OnDisk::kFile
                             ? absl::StrCat("Write ./", word, " for the file beside this one")
                             : "Give the program's absolute path"));
}

}  // namespace scm::experiment_file
