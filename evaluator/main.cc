// scm-evaluator: the task kind "evaluate".
#include "absl/strings/str_cat.h"
#include "evaluator/evaluate_job.h"
#include "trainer/protocol/attempt_main.h"

namespace {

absl::Status Run(const scm::trainer::JobSpec& spec, scm::trainer::Reporter* reporter,
                 scm::trainer::CommandQueue* commands, scm::Clock* clock) {
  if (spec.kind == scm::TaskKind::kEvaluate) {
    return scm::evaluator::RunEvaluateJob(spec, reporter, commands, clock);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("task.kind: scm-evaluator does evaluate, not ", scm::TaskKindName(spec.kind)));
}

}  // namespace

int main(int argc, char** argv) {
  return scm::trainer::RunAttemptProgram(
      {"scm-evaluator",
       "Scores a base model, trained adapters and baselines on a corpus's test "
       "items by the log-likelihood of their choices.",
       Run},
      argc, argv);
}
