// Shell completion scripts, made from the same verbs and flags that --help prints, so that they
// never fall behind. Ids and names are asked by the hidden verb `__ids` from the coordinator that
// the line itself names, with the line's token and authority.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace scm::ctl {

// One verb as the scripts see it.
struct VerbWords {
  std::string path;                      // "", "submit", "local up"
  std::string help;                      // one line
  std::vector<std::string> verbs;        // below it
  std::vector<std::string> flags;        // "--follow", "-o"
  std::vector<std::string> value_flags;  // flags that take a value
  std::vector<std::string> path_flags;   // those of them whose value is a file or directory
  std::string argument;                  // name of its positional argument, as "FILE"; "" for none
};

// `root` and everything below it, in the order of --help. Hidden verbs are left out.
std::vector<VerbWords> WordsOf(const CLI::App& root);

// For "bash", "zsh" or "fish".
std::string CompletionScript(const CLI::App& root, const std::string& shell);

}  // namespace scm::ctl
