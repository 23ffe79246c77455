// scm-evaluator: the job kind "evaluate".
#include "absl/strings/str_cat.h"
#include "evaluator/evaluate_job.h"
#include "trainer/attempt_main.h"

namespace {

absl::Status Run(const scm::JobSpec& spec, scm::Reporter* reporter, scm::CommandQueue* commands,
                 scm::Clock* clock) {
  if (spec.kind == scm::JobKind::kEvaluate) {
    return scm::RunEvaluateJob(spec, reporter, commands, clock);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("task.kind: scm-evaluator does evaluate, not ", scm::JobKindName(spec.kind)));
}

}  // namespace

int main(int argc, char** argv) {
  return scm::RunAttemptProgram(
      {"scm-evaluator",
       "Scores a base model, trained adapters and baselines on a corpus's test "
       "items by the log-likelihood of their choices.",
       Run},
      argc, argv);
}
