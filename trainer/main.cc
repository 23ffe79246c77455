// scm-trainer: the job kinds "check", "train" and "export".
#include "absl/strings/str_cat.h"
#include "trainer/attempt_main.h"
#include "trainer/export_job.h"
#include "trainer/train_job.h"

namespace {

absl::Status Run(const scm::JobSpec& spec, scm::Reporter* reporter, scm::CommandQueue* commands,
                 scm::Clock* clock) {
  switch (spec.kind) {
    case scm::JobKind::kCheck:
    case scm::JobKind::kTrain:
      return scm::RunTrainJob(spec, reporter, commands, clock);
    case scm::JobKind::kExport:
      return scm::RunExportJob(spec, reporter, commands);
    case scm::JobKind::kEvaluate:
    case scm::JobKind::kReport:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("task.kind: scm-trainer does check, train and "
                   "export, not ",
                   scm::JobKindName(spec.kind)));
}

}  // namespace

int main(int argc, char** argv) {
  return scm::RunAttemptProgram(
      {"scm-trainer",
       "Trains LoRA adapters of a Llama-architecture model, checks a corpus, or "
       "exports a trained model.",
       Run},
      argc, argv);
}
