#include "worker/attempt/commands.h"

#include <sys/stat.h>

#include <filesystem>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/support.h"

namespace scm::worker {
namespace {

class CommandsTest : public testing::Test {
 protected:
  CommandsTest() {
    for (const char* program : {"scm-trainer", "trainer", "other", "python3"}) {
      WriteText(bin_ / program, "#!/bin/sh\n");
      chmod((bin_ / program).c_str(), 0755);
    }
    WriteText(bin_ / "train.py", "print(1)\n");       // not executable
    WriteText(bin_ / "evil.py", "#!/bin/python3\n");  // a script all the same
    WriteText(bin_ / "data.json", "{}");
    std::filesystem::create_directory(bin_ / "work");
    WriteText(bin_ / "work/notes.txt", "text");
    WriteText(bin_ / "work/tool", "#!/bin/sh\n");
    rules_ = {
        bin_.path(), {bin_ / "trainer", bin_ / "train.py"}, "relative:/nowhere:" + bin_.path()};
  }
  // Both checks, as for an attempt in the directory `work` beside the programs.
  absl::StatusOr<std::vector<std::string>> Resolve(const std::vector<std::string>& command) {
    absl::StatusOr<std::vector<std::string>> resolved = ResolveCommand(command, rules_);
    if (!resolved.ok()) return resolved;
    const absl::Status arguments = CheckArguments(*resolved, rules_, bin_ / "work");
    if (!arguments.ok()) return arguments;
    return resolved;
  }

  fake::TempDir bin_;
  CommandRules rules_;
};

TEST_F(CommandsTest, Allows) {
  const std::string dir = bin_.path() + "/";
  struct Case {
    std::vector<std::string> command;
    std::string program;
  };
  const Case cases[] = {
      {{"scm-trainer"}, dir + "scm-trainer"},
      {{"scm-trainer", "--verbose"}, dir + "scm-trainer"},
      {{dir + "trainer"}, dir + "trainer"},
      {{dir + "trainer", dir + "data.json", "--lr", "1e-3"}, dir + "trainer"},
      {{dir + "trainer", "/no/such/file"}, dir + "trainer"},
      {{dir + "train.py"}, dir + "train.py"},
      {{dir + "trainer", "notes.txt", "./notes.txt", "x/../notes.txt"}, dir + "trainer"},
      {{dir + "trainer", "an-owner/a-model", "--lr=1e-3", "-x", "a=b=c", "="}, dir + "trainer"},
      {{dir + "trainer", "--script=" + dir + "train.py", dir + "trainer"}, dir + "trainer"},
      {{"python3", dir + "train.py", "--x", dir + "data.json"}, dir + "python3"},
  };
  for (const Case& c : cases) {
    const auto resolved = Resolve(c.command);
    ASSERT_TRUE(resolved.ok()) << absl::StrJoin(c.command, " ") << ": " << resolved.status();
    std::vector<std::string> expected = c.command;
    expected[0] = c.program;
    EXPECT_EQ(*resolved, expected);
  }
}

TEST_F(CommandsTest, Refuses) {
  const std::string dir = bin_.path() + "/";
  struct Case {
    std::vector<std::string> command;
    absl::StatusCode code;
    std::string message;
  };
  using absl::StatusCode;
  const Case cases[] = {
      {{}, StatusCode::kInvalidArgument, "empty"},
      {{""}, StatusCode::kInvalidArgument, "empty"},
      {{"scm-report"}, StatusCode::kNotFound, "not installed"},
      {{dir + "other"}, StatusCode::kPermissionDenied, "--allow-trainer " + dir + "other"},
      {{"bin/trainer"}, StatusCode::kInvalidArgument, "absolute"},
      {{"trainer"}, StatusCode::kPermissionDenied, "neither a built-in"},
      {{"env", dir + "train.py"}, StatusCode::kPermissionDenied, "neither a built-in"},
      {{"perl", dir + "train.py"}, StatusCode::kNotFound, "PATH"},
      {{"python3"}, StatusCode::kPermissionDenied, "allowed script"},
      {{"python3", "-c", "import os", dir + "train.py"}, StatusCode::kPermissionDenied, "script"},
      {{"python3", "-m", "evil"}, StatusCode::kPermissionDenied, "script"},
      {{"python3", dir + "evil.py"}, StatusCode::kPermissionDenied, "evil.py"},
      {{"python3", dir + "../" + dir + "train.py"}, StatusCode::kPermissionDenied, "not allow"},
      {{dir + "python3", dir + "train.py"}, StatusCode::kPermissionDenied, "python3"},
      {{dir + "trainer", dir + "other"}, StatusCode::kPermissionDenied, "other"},
      {{dir + "trainer", "--run", dir + "evil.py"}, StatusCode::kPermissionDenied, "evil.py"},
      {{"python3", dir + "train.py", dir + "evil.py"}, StatusCode::kPermissionDenied, "evil.py"},
      // However the file is named: by the directory of the attempt, within an option.
      {{dir + "trainer", "tool"}, StatusCode::kPermissionDenied, dir + "work/tool"},
      {{dir + "trainer", "./tool"}, StatusCode::kPermissionDenied, "work/./tool"},
      {{dir + "trainer", "../other"}, StatusCode::kPermissionDenied, "leads out"},
      {{dir + "trainer", "../data.json"}, StatusCode::kPermissionDenied, "leads out"},
      {{dir + "trainer", "a/../../other"}, StatusCode::kPermissionDenied, "leads out"},
      {{dir + "trainer", "--run=" + dir + "other"}, StatusCode::kPermissionDenied, "other"},
      {{dir + "trainer", "--run=../other"}, StatusCode::kPermissionDenied, "leads out"},
      {{dir + "trainer", "-r" + dir + "other"}, StatusCode::kPermissionDenied, "other"},
      {{dir + "trainer", "--a=b=" + dir + "other"}, StatusCode::kPermissionDenied, "other"},
      {{dir + "trainer", "/proc/self/cwd/notes.txt"}, StatusCode::kPermissionDenied, "/proc/self"},
  };
  for (const Case& c : cases) {
    const absl::Status status = Resolve(c.command).status();
    EXPECT_EQ(status.code(), c.code) << absl::StrJoin(c.command, " ") << ": " << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr(c.message));
  }
}

TEST_F(CommandsTest, AnAllowedInterpreterRunsAnything) {
  rules_.allowed.push_back(bin_ / "python3");
  EXPECT_TRUE(Resolve({"python3", "-c", "print(1)"}).ok());
  EXPECT_TRUE(Resolve({bin_ / "python3", "-m", "train"}).ok());
  EXPECT_FALSE(Resolve({"python3", bin_ / "evil.py"}).ok()) << "named programs still count";
}

}  // namespace
}  // namespace scm::worker
