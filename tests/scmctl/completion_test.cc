#include "scmctl/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "scmctl/app.h"

namespace scm::ctl {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class CompletionTest : public ::testing::Test {
 protected:
  CompletionTest() : root_(MakeRoot(app_)) {}

  // Completes a command line in a real bash; `ids` is what the coordinator would offer.
  std::vector<std::string> Complete(const std::string& words) {
    char path[] = "/tmp/scmctl-completion-XXXXXX";
    const int fd = mkstemp(path);
    EXPECT_GE(fd, 0);
    close(fd);
    std::ofstream(path)
        << "scmctl() { echo \"e-1 id-of-$2\"; shift 2; printf 'with:%s\\n' \"$@\"; }\n"
        << CompletionScript(*root_, "bash") << "COMP_WORDS=(" << words << ")\n"
        << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        << "COMP_LINE=\"${COMP_WORDS[*]}\"\n"
        << "COMP_POINT=${#COMP_LINE}\n"
        << "_scmctl\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    std::string out = Run(absl::StrCat("bash ", path, " 2>&1"));
    unlink(path);
    return absl::StrSplit(out, '\n', absl::SkipEmpty());
  }

  static std::string Run(const std::string& command) {
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    std::array<char, 4096> buffer;
    for (size_t n; pipe && (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      out.append(buffer.data(), n);
    }
    if (pipe) status_ = pclose(pipe);
    return out;
  }

  App app_;
  std::unique_ptr<CLI::App> root_;
  static inline int status_ = 0;
};

TEST_F(CompletionTest, EveryVerbOfTheHelpIsCompletedAndNoHiddenOne) {
  std::vector<std::string> verbs;
  for (const CLI::App* verb : root_->get_subcommands([](const CLI::App*) { return true; })) {
    if (!verb->get_group().empty()) verbs.push_back(verb->get_name());
  }
  EXPECT_THAT(Complete("scmctl ''"), testing::UnorderedElementsAreArray(verbs));
  EXPECT_THAT(verbs, Not(Contains("__ids")));
  EXPECT_THAT(Complete("scmctl wa"), UnorderedElementsAre("watch", "wait"));
}

TEST_F(CompletionTest, GroupsFlagsAndValues) {
  EXPECT_THAT(Complete("scmctl local ''"), UnorderedElementsAre("up", "down", "status"));
  EXPECT_THAT(Complete("scmctl checkpoints d"), UnorderedElementsAre("download"));
  EXPECT_THAT(Complete("scmctl submit --"),
              IsSupersetOf({"--follow", "--request-id", "--coordinator", "--help"}));
  EXPECT_THAT(Complete("scmctl local up --"), IsSupersetOf({"--workers", "--allow-trainer"}));
  EXPECT_THAT(Complete("scmctl local up --"), Not(Contains("--follow")));
  EXPECT_THAT(Complete("scmctl ls -o ''"), UnorderedElementsAre("table", "json"));
  EXPECT_THAT(Complete("scmctl completion ''"), UnorderedElementsAre("bash", "zsh", "fish"));
}

TEST_F(CompletionTest, IdsAreAskedFromTheCoordinator) {
  EXPECT_THAT(Complete("scmctl why ''"), Contains("id-of-any"));
  EXPECT_THAT(Complete("scmctl metrics ''"), Contains("id-of-run"));
  EXPECT_THAT(Complete("scmctl workers drain ''"), Contains("id-of-worker"));
}

TEST_F(CompletionTest, TheCoordinatorThatTheLineNamesIsAsked) {
  EXPECT_THAT(
      Complete("scmctl why --coordinator gpu-a:7070 --token-file '~/t' ''"),
      UnorderedElementsAre("e-1", "id-of-any", "with:--coordinator", "with:gpu-a:7070",
                           "with:--token-file", absl::StrCat("with:", std::getenv("HOME"), "/t")));
  EXPECT_THAT(Complete("scmctl why --tls-ca=ca.pem -o json ''"),
              UnorderedElementsAre("e-1", "id-of-any", "with:--tls-ca=ca.pem"));
  EXPECT_THAT(Complete("scmctl workers --coordinator x:1 drain ''"), Contains("id-of-worker"))
      << "a value is no verb";
}

TEST_F(CompletionTest, TheScriptsAreGoodSyntaxWhereTheShellIsThere) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    if (Run(absl::StrCat("command -v ", shell)).empty()) {
      ASSERT_NE(shell, "bash");
      std::printf("%s is not installed: its script was not parsed\n", shell.c_str());
      continue;
    }
    char path[] = "/tmp/scmctl-completion-XXXXXX";
    close(mkstemp(path));
    std::ofstream(path) << CompletionScript(*root_, shell);
    const std::string said = Run(absl::StrCat(shell, " -n ", path, " 2>&1"));
    EXPECT_EQ(status_, 0) << shell << ": " << said;
    unlink(path);
  }
  EXPECT_THAT(CompletionScript(*root_, "zsh"), HasSubstr("bashcompinit"));
  EXPECT_THAT(CompletionScript(*root_, "fish"), HasSubstr("-a submit"));
}

}  // namespace
}  // namespace scm::ctl
