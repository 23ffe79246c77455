// scmctl: the user's command. Only this file exits.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "common/text.h"
#include "scmctl/app.h"
#include "scmctl/usage.h"

namespace {

// An answer that nobody could read is no success: the disk below standard output may be full.
int AfterWriting(int code) {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "scmctl: the output could not be written%s%s\n", errno != 0 ? ": " : "",
               errno != 0 ? std::strerror(errno) : "");
  return code == scm::ctl::kExitOk ? static_cast<int>(scm::ctl::kExitInternal) : code;
}

int Run(int argc, char** argv) {
  if (const std::string problem = scm::ctl::EmptyOption({argv + 1, argv + argc});
      !problem.empty()) {
    std::cerr << problem;
    return scm::ctl::kExitUsage;
  }
  scm::ctl::App app;
  app.terminal = scm::ctl::DetectTerminal();
  const auto root = scm::ctl::MakeRoot(app);
  try {
    root->parse(argc, argv);
  } catch (const CLI::RuntimeError& outcome) {
    return outcome.get_exit_code();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return root->exit(error);  // --help
    std::cerr << scm::ctl::UsageMessage(*root, error);
    return scm::ctl::kExitUsage;
  } catch (const std::exception& error) {
    std::cerr << "scmctl: " << scm::LineOf(error.what()) << "\n";
    return scm::ctl::kExitInternal;
  }
  return scm::ctl::kExitOk;
}

}  // namespace

int main(int argc, char** argv) { return AfterWriting(Run(argc, argv)); }
