#include "scmctl/render/exit_codes.h"

#include <gtest/gtest.h>

namespace scm::ctl {
namespace {

Json Status(const char* state, const Json& decision) {
  return {{"experiment", {{"id", "e-1"}, {"state", state}, {"decision", decision}}}};
}

TEST(ExitCodesTest, EveryStateAndDecision) {
  struct Case {
    const char* state;
    Json decision;
    int code;
  };
  for (const Case& c :
       {Case{"PENDING", nullptr, 0}, Case{"RUNNING", nullptr, 0}, Case{"PAUSED", nullptr, 0},
        Case{"STOPPING", nullptr, 0}, Case{"SUCCEEDED", nullptr, 0}, Case{"SUCCEEDED", "go", 0},
        Case{"SUCCEEDED", "no_go", 7}, Case{"FAILED", nullptr, 3}, Case{"FAILED", "no_go", 3},
        Case{"ABORTED", nullptr, 4}, Case{"CANCELLED", nullptr, 8}}) {
    EXPECT_EQ(ExitCodeOf(Status(c.state, c.decision)), c.code) << c.state << c.decision;
  }
}

TEST(ExitCodesTest, LostContactIsNeverMistaken) {
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::UnimplementedError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
}

}  // namespace
}  // namespace scm::ctl
