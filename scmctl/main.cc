// scmctl: the user's command. Only this file exits.
#include <iostream>

#include "scmctl/app.h"
#include "scmctl/usage.h"

int main(int argc, char** argv) {
  scm::App app;
  app.terminal = scm::DetectTerminal();
  const auto root = scm::MakeRoot(app);
  try {
    root->parse(argc, argv);
  } catch (const CLI::RuntimeError& outcome) {
    return outcome.get_exit_code();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return root->exit(error);  // --help
    std::cerr << scm::UsageMessage(*root, error);
    return scm::kExitUsage;
  }
  return scm::kExitOk;
}
