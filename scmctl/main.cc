// scmctl: the user's command. Only this file exits.
#include "scmctl/app.h"

int main(int argc, char** argv) {
  scm::App app;
  app.terminal = scm::DetectTerminal();
  const auto root = scm::MakeRoot(app);
  try {
    root->parse(argc, argv);
  } catch (const CLI::RuntimeError& outcome) {
    return outcome.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return root->exit(error) == 0 ? scm::kExitOk : scm::kExitUsage;
  }
  return scm::kExitOk;
}
