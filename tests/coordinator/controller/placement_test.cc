// Which workers a task is never given to, because they have said that they would refuse it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/state/persist.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using ::testing::HasSubstr;

WorkerId AddWorker(Harness& h, const std::string& name, std::vector<std::string> trainers) {
  RegisterInput hello;
  hello.instance = name;
  hello.host = "host";
  hello.cpus = 4;
  hello.trainers = std::move(trainers);
  return h.Register(std::move(hello));
}

std::string OwnTrainer(const std::string& command) {
  return absl::StrCat("name: t\nstages: [replicate, report]\ntrainer: {command: [", command,
                      "]}\ntraining: {max_steps: 40, save_steps: 10, eval_steps: 10}\n",
                      "replicate: {seeds: [11]}\n");
}

TEST(Placement, ATaskWaitsForAWorkerThatAllowsItsCommand) {
  Harness h;
  AddWorker(h, "one", {"scm-report", "/x/other.py"});
  h.Submit(OwnTrainer("/x/train.py"));
  const TaskId task = h.Tasks(StageKind::kReplicate).at(0);
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(task), "PENDING");
  EXPECT_EQ(h.Waiting(task),
            "cannot be placed: no worker allows /x/train.py; start one with --allow-trainer "
            "/x/train.py");
  const WorkerId allowing = AddWorker(h, "two", {"scm-report", "/x/train.py"});
  h.Advance(absl::Seconds(3));
  ASSERT_EQ(h.StateOf(task), "ASSIGNED");
  EXPECT_EQ(h.TaskAt(task)->attempt->ranks[0].worker, allowing);
}

TEST(Placement, AWorkerThatDoesNotSayMayBeAsked) {
  Harness h;
  AddWorker(h, "old", {});
  h.Submit(OwnTrainer("/x/train.py"));
  h.Advance(absl::Seconds(3));
  EXPECT_EQ(h.StateOf(h.Tasks(StageKind::kReplicate).at(0)), "ASSIGNED");
}

TEST(Placement, BothReasonsAreSaid) {
  Harness h;
  RegisterInput hello;
  hello.instance = "gpu";
  hello.cpus = 4;
  hello.gpus = {{0, "L4", 0, 0, 0}};
  h.Register(hello);
  hello.instance = "priced";
  hello.gpus = {{0, "H200", 0, 0, 0}};
  hello.trainers = {"scm-report"};
  h.Register(hello);
  h.Submit(absl::StrCat(OwnTrainer("/x/train.py"),
                        "resources: {gpus: 1}\nbudget: {limit: 9, gpu_hour: {H200: 1}}\n"));
  h.Advance(absl::Seconds(3));
  const std::string waiting = h.Waiting(h.Tasks(StageKind::kReplicate).at(0));
  EXPECT_THAT(waiting, HasSubstr("no worker allows /x/train.py"));
  EXPECT_THAT(waiting, HasSubstr("the price of GPU \"L4\" is not known"));
}

TEST(Placement, WhatAWorkerAllowsOutlivesTheCoordinator) {
  Worker worker;
  worker.id = WorkerId("w-1");
  worker.trainers = {"scm-trainer", "/x/train.py"};
  Json json = state::ToJson(worker);
  EXPECT_EQ(state::FromJson<Worker>(json)->trainers, worker.trainers);
  json.erase("trainers");  // a row of an earlier version
  EXPECT_TRUE(state::FromJson<Worker>(json)->trainers.empty());
}

}  // namespace
}  // namespace scm::controller
