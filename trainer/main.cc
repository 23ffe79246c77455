// scm-trainer: the task kinds "check", "train" and "export".
#include "absl/strings/str_cat.h"
#include "trainer/export/export_job.h"
#include "trainer/loop/dry_run.h"
#include "trainer/loop/train_job.h"
#include "trainer/protocol/attempt_main.h"

namespace {

absl::Status Run(const scm::trainer::JobSpec& spec, scm::trainer::Reporter* reporter,
                 scm::trainer::CommandQueue* commands, scm::Clock* clock) {
  switch (spec.kind) {
    case scm::TaskKind::kCheck:
    case scm::TaskKind::kTrain:
      return scm::trainer::RunTrainJob(spec, reporter, commands, clock);
    case scm::TaskKind::kExport:
      return scm::trainer::RunExportJob(spec, reporter, commands);
    case scm::TaskKind::kEvaluate:
    case scm::TaskKind::kReport:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("task.kind: scm-trainer does check, train and "
                   "export, not ",
                   scm::TaskKindName(spec.kind)));
}

}  // namespace

int main(int argc, char** argv) {
  return scm::trainer::RunAttemptProgram(
      {"scm-trainer",
       "Trains LoRA adapters of a Llama, Mistral, Qwen or SmolLM model, checks a corpus, or "
       "exports a trained model.",
       Run, scm::trainer::DryRunReport},
      argc, argv);
}
