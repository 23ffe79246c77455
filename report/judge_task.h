// One task of the evaluation: scores, F1 and comparisons with their intervals. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/evaluation_view.h"
#include "report/findings.h"

namespace scm::report {

struct PrimaryName {
  std::string task, baseline;
};

TaskResult JudgeTask(const EvaluatedTask& task, const Evaluation& evaluation,
                     const std::vector<Seed>& seeds, const PrimaryName& primary);

// Holm's correction over every comparison that was made, the primary one excepted.
void AdjustByHolm(std::vector<TaskResult>& tasks);

LossResult JudgeLoss(const Json& evaluation_json, const Evaluation& evaluation,
                     const std::vector<Seed>& seeds);

}  // namespace scm::report
