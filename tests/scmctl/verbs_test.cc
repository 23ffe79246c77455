// What every verb owes its user.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "scmctl/app.h"

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;

void ForEach(const CLI::App& app, const std::string& path,
             const std::function<void(const CLI::App&, const std::string&)>& look) {
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string here = absl::StrCat(path, " ", verb->get_name());
    look(*verb, here);
    ForEach(*verb, here, look);
  }
}

TEST(VerbsTest, EveryHelpHasAnExampleOfThatVerb) {
  App app;
  const auto root = MakeRoot(app);
  int verbs = 0;
  ForEach(*root, "scmctl", [&](const CLI::App& verb, const std::string& path) {
    ++verbs;
    const std::string help = verb.help();
    EXPECT_THAT(help, HasSubstr("Example:")) << path;
    EXPECT_THAT(help.substr(help.find("Example:")), HasSubstr(path)) << path;
    EXPECT_FALSE(verb.get_description().empty()) << path;
  });
  EXPECT_GE(verbs, 28);
}

TEST(VerbsTest, EveryVerbThatAnswersTakesTheGlobalFlags) {
  App app;
  const auto root = MakeRoot(app);
  ForEach(*root, "scmctl", [&](const CLI::App& verb, const std::string& path) {
    if (!verb.get_subcommands([](const CLI::App*) { return true; }).empty()) return;
    for (const char* flag : {"--output", "--coordinator", "--token-file"}) {
      EXPECT_NE(verb.get_option_no_throw(flag), nullptr) << path << " " << flag;
    }
  });
}

TEST(VerbsTest, TheContractsVerbsAreThere) {
  App app;
  const auto root = MakeRoot(app);
  std::vector<std::string> paths;
  ForEach(*root, "", [&](const CLI::App&, const std::string& path) { paths.push_back(path); });
  EXPECT_THAT(paths, testing::IsSupersetOf({" validate",
                                            " plan",
                                            " submit",
                                            " ls",
                                            " status",
                                            " watch",
                                            " wait",
                                            " runs",
                                            " logs",
                                            " metrics",
                                            " events",
                                            " why",
                                            " pause",
                                            " resume",
                                            " cancel",
                                            " checkpoints ls",
                                            " checkpoints save",
                                            " checkpoints verify",
                                            " checkpoints download",
                                            " checkpoints gc",
                                            " workers ls",
                                            " workers drain",
                                            " report",
                                            " local up",
                                            " local down",
                                            " local status",
                                            " completion",
                                            " version"}));
}

}  // namespace
}  // namespace scm::ctl
