#include "common/trainer_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scm {
namespace {

TEST(WordNotAllowed, IsTheWordThatAWorkerCertainlyRefuses) {
  const std::vector<std::string> trainers = {"scm-trainer", "/x/train.py", "/usr/bin/perl"};
  const struct {
    std::vector<std::string> command;
    const char* word;
  } cases[] = {
      {{"scm-trainer"}, ""},
      {{"scm-evaluator"}, "scm-evaluator"},  // a worker that was built without it
      {{"/x/train.py", "--fast"}, ""},
      {{"/x/other.py"}, "/x/other.py"},
      {{"python3", "/x/train.py"}, ""},
      {{"python3", "/x/other.py"}, "/x/other.py"},
      {{"python3", "-c", "1"}, "python3"},
      {{"python3"}, "python3"},
      {{"perl", "-e", "1"}, ""},  // the interpreter itself is allowed
      {{"fancy"}, "fancy"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(WordNotAllowed(c.command, trainers), c.word) << testing::PrintToString(c.command);
  }
}

TEST(WordNotAllowed, SaysNothingOfAWorkerThatHasNotSaid) {
  EXPECT_EQ(WordNotAllowed({"/x/train.py"}, {}), "");
}

TEST(NoWorkerAllows, SaysWhatToDo) {
  EXPECT_EQ(NoWorkerAllows("/x/train.py"),
            "no worker allows /x/train.py; start one with --allow-trainer /x/train.py");
  EXPECT_THAT(NoWorkerAllows("scm-evaluator"), testing::HasSubstr("no worker has scm-evaluator"));
  EXPECT_THAT(NoWorkerAllows("python3"), testing::HasSubstr("absolute path"));
}

}  // namespace
}  // namespace scm
