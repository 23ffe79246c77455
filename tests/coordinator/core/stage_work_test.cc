// What the coordinator makes of a stage is what was counted beforehand, by `plan` and by the
// forecast.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/core/stage_needs.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

TEST(StageWork, IsWhatTheCoordinatorThenMakes) {
  Harness h;
  h.AddWorker(8);
  std::string file = TestFile("check, sweep, replicate, evaluate, export, report");
  file.replace(file.find("evaluation: {tasks: [a]}"), 24,
               "evaluation: {tasks: [a], baselines: [{name: gpt, predictions: /p.jsonl}, {name: "
               "other, model: /o.gguf}]}");
  const ExperimentId e = h.Submit(file);
  const ExperimentSpec spec = *h.At(e)->spec;
  for (const StageKind stage : kAllStages) {
    SCOPED_TRACE(StageName(stage));
    const core::StageWork work = core::NeedsOf(stage).work(spec);
    const std::vector<TaskId> tasks = h.Tasks(stage);
    EXPECT_EQ(static_cast<int64_t>(tasks.size()), work.tasks);
    for (const TaskId& task : tasks) {
      EXPECT_EQ(h.TaskAt(task)->kind, core::NeedsOf(stage).task);
      EXPECT_EQ(h.TaskAt(task)->run.empty(), work.unit != core::WorkUnit::kSteps);
      EXPECT_EQ(static_cast<int64_t>(h.TaskAt(task)->attempt->ranks.size()),
                core::RanksOf(spec, stage));
      if (work.unit == core::WorkUnit::kSteps) {
        EXPECT_EQ(h.RunOf(task)->stop_at_step, work.ends.back());
        h.Train(task, 1);
      } else {
        h.Started(task);
        h.Finish(task);
      }
    }
  }
  EXPECT_EQ(h.StateOf(e), "SUCCEEDED");
}

TEST(Replicate, GoesOnUntilNoCandidateModelIsLeft) {
  Harness h;
  h.AddWorker(4);
  std::string file = TestFile("replicate");
  file.replace(file.find("[python3, train.py]"), 19, "[scm-trainer]");
  const ExperimentId e = h.Submit(file);
  for (const int64_t model : {0, 1}) {
    const std::vector<TaskId> tasks = h.Tasks(StageKind::kReplicate);
    ASSERT_EQ(tasks.size(), static_cast<size_t>(3 * (model + 1)));
    for (size_t i = tasks.size() - 3; i < tasks.size(); ++i) {
      EXPECT_EQ(h.RunOf(tasks[i])->model_index, model);
      h.Fail(tasks[i], "bad_input");
    }
  }
  EXPECT_EQ(h.Tasks(StageKind::kReplicate).size(), 6u);
  EXPECT_EQ(h.CountEvents("fallback_started"), 1);
  EXPECT_THAT(h.Gate(e, StageKind::kReplicate), testing::StartsWith("FAILED failed: 0 of 3"));
  EXPECT_EQ(h.StateOf(e), "FAILED");
}

}  // namespace
}  // namespace scm::controller
