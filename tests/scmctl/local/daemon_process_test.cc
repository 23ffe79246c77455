#include "scmctl/local/daemon_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/fakes/temp_dir.h"

namespace scm::ctl {
namespace {

TEST(DaemonProcessTest, AKilledOneIsGoneAtOnce) {
  fake::TempDir directory;
  const std::string pid_file = directory.path() + "/pid.json";
  for (int i = 0; i < 50; ++i) {
    const auto pid = StartDaemon({"/bin/sleep", "1000"}, directory.path() + "/log", pid_file);
    ASSERT_TRUE(pid.ok()) << pid.status();
    ASSERT_EQ(FindDaemon(pid_file), *pid);
    ASSERT_EQ(kill(*pid, SIGKILL), 0);
    EXPECT_EQ(FindDaemon(pid_file), 0) << "after " << i << " that were";
    StopDaemon(pid_file, absl::Seconds(10));
  }
}

}  // namespace
}  // namespace scm::ctl
