#include "scmctl/usage.h"

#include <gmock/gmock.h>

#include "scmctl/app.h"

namespace scm::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Said(std::vector<std::string> arguments) {
  App app;
  const auto root = MakeRoot(app);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    root->parse(arguments);
  } catch (const CLI::ParseError& error) {
    return UsageMessage(*root, error);
  }
  return "parsed";
}

TEST(UsageTest, AnOptionWithNothingBehindItsEqualsSignIsNamed) {
  EXPECT_THAT(EmptyOption({"submit", "--coordinator=", "FILE"}),
              HasSubstr("--coordinator= is empty"));
  EXPECT_EQ(EmptyOption({"submit", "--coordinator=h:1", "FILE", "a=", "--follow"}), "");
  EXPECT_EQ(EmptyOption({"--", "--name="}), "");
}

TEST(UsageTest, NoCommandShowsThemAll) {
  const std::string said = Said({});
  EXPECT_THAT(said, HasSubstr("submit"));
  EXPECT_THAT(said, HasSubstr("checkpoints"));
}

TEST(UsageTest, AMisspeltCommandIsGuessed) {
  EXPECT_THAT(Said({"stauts", "e-1"}), HasSubstr("there is no \"stauts\"; did you mean status?"));
  EXPECT_THAT(Said({"workers", "lss"}),
              HasSubstr("scmctl workers: there is no \"lss\"; did you mean ls?"));
  EXPECT_THAT(Said({"xyzzy"}), Not(HasSubstr("did you mean")));
}

TEST(UsageTest, AGroupWithoutACommandListsItsOwn) {
  EXPECT_THAT(
      Said({"checkpoints"}),
      HasSubstr("scmctl checkpoints: one of these must follow: ls, save, verify, download, gc\n"));
}

TEST(UsageTest, ACommandThatMayHaveAnotherBelowItMissesItsOwnArgument) {
  EXPECT_THAT(Said({"report"}), HasSubstr("scmctl report: ID is required\n"));
  EXPECT_THAT(Said({"report", "lint"}), HasSubstr("scmctl report lint: FILE is required\n"));
}

TEST(UsageTest, AMissingArgumentIsNamedWithAnExample) {
  const std::string said = Said({"status"});
  EXPECT_THAT(said, HasSubstr("scmctl status: ID is required\n"));
  EXPECT_THAT(said, HasSubstr("Example:\n  scmctl status "));
  EXPECT_THAT(said, HasSubstr("`scmctl status --help` says more."));
}

TEST(UsageTest, AnOptionOrArgumentThatDoesNotExistIsNamed) {
  EXPECT_THAT(Said({"status", "e-1", "--outptu", "json"}),
              HasSubstr("there is no option --outptu; did you mean --output?"));
  EXPECT_THAT(Said({"status", "e-1", "e-2"}), HasSubstr("\"e-2\" is one argument too many"));
}

TEST(UsageTest, AValueThatIsNotPossibleIsNamed) {
  EXPECT_THAT(Said({"ls", "-o", "xml"}), HasSubstr("xml not in {table,json}"));
}

}  // namespace
}  // namespace scm::ctl
