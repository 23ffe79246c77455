// What the tests of the daemon start from.
#pragma once

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/harness.h"
#include "worker/process/host_process.h"

namespace scm::worker {

class DaemonTest : public testing::Test {
 protected:
  ~DaemonTest() override { EXPECT_THAT(h.coordinator.violations, testing::IsEmpty()); }
  const std::string& Reports(const LeaseRef& lease) { return h.coordinator.lease(lease).reports; }
  void StepUntilReported(const LeaseRef& lease, const std::string& part) {
    h.StepUntil([&] { return Contains(Reports(lease), part); }, part.c_str());
  }
  bool TrainerLives(const Json& pid) {
    return IsAlive({static_cast<pid_t>(IntegerAt(pid, "trainer_pid", 0)),
                    IntegerAt(pid, "trainer_start_time", 0)});
  }

  Harness h;
};

}  // namespace scm::worker
