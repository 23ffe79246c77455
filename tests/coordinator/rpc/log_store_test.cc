#include "coordinator/rpc/log_store.h"

#include <gtest/gtest.h>

#include "common/files.h"
#include "tests/fakes/temp_dir.h"

namespace scm::rpc {
namespace {

TEST(LogStore, NewAttemptsOfAnOldNumberBeginWithEmptyLogs) {
  const fake::TempDir dir;
  const std::string root = dir.path() + "/logs";
  {
    rpc::LogStore logs(root);
    for (const char* task : {"k-1", "k-9"}) {
      for (int64_t attempt : {1, 3}) {
        EXPECT_EQ(logs.Append(TaskId(task), attempt, 0, 0, "of a later state\n").value(), 17);
      }
    }
  }
  rpc::LogStore logs(root);
  // The store that was put back knows one attempt of k-1, and no k-9.
  const auto attempts_of = [](const TaskId& id) -> int64_t { return id == TaskId("k-1") ? 1 : 0; };
  logs.SetAsideBeyond(attempts_of);
  logs.SetAsideBeyond(attempts_of);
  EXPECT_EQ(logs.Read(TaskId("k-1"), 1, 0, 100), "of a later state\n");
  for (const auto& [task, attempt] :
       std::vector<std::pair<const char*, int64_t>>{{"k-1", 3}, {"k-9", 1}, {"k-9", 3}}) {
    EXPECT_EQ(logs.Read(TaskId(task), attempt, 0, 100), "") << task << " " << attempt;
    EXPECT_EQ(logs.Append(TaskId(task), attempt, 0, 0, "new\n").value(), 4);
  }
  EXPECT_EQ(logs.AttemptsOf(TaskId("k-1")), (std::vector<int64_t>{1, 3}));
  EXPECT_TRUE(logs.AttemptsOf(TaskId("k-2")).empty());
  EXPECT_EQ(ReadFile(root + "/k-9/3.log.aside").value(), "of a later state\n");
}

}  // namespace
}  // namespace scm::rpc
