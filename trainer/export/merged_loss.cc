#include "trainer/export/merged_loss.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"
#include "model/open_model.h"
#include "trainer/data/training_data.h"
#include "trainer/data/validation.h"
#include "trainer/loop/checkpoint_io.h"
#include "trainer/loop/quantized_base.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

// The loss that the checkpoint's own training measured at its step.
std::optional<double> LossOverQuantizedBase(const JobInput& checkpoint) {
  const absl::StatusOr<TrainingState> state = ReadTrainingState(checkpoint.dir);
  return state.ok() ? state->loss_at_step() : std::nullopt;
}

std::string LossText(std::optional<double> loss) {
  return loss ? absl::StrFormat("%.4f", *loss) : "not measured";
}

}  // namespace

absl::StatusOr<MergedLoss> MeasureMergedLoss(const JobSpec& spec, const JobInput& checkpoint,
                                             const std::string& merged_dir, InputGuard& guard,
                                             const std::function<bool()>& go_on) {
  MergedLoss loss{spec.model, spec.lora.quantize_base, LossOverQuantizedBase(checkpoint)};
  SCM_RETURN_IF_ERROR(guard.Check(spec.data.corpus));
  SCM_ASSIGN_OR_RETURN(const auto source, model::OpenModel(merged_dir));
  SCM_ASSIGN_OR_RETURN(const auto tokenizer, source->MakeTokenizer());
  std::vector<std::string> warnings;  // training has said them
  SCM_ASSIGN_OR_RETURN(const corpus::Corpus corpus, LoadJobCorpus(spec.data, &warnings));
  SCM_RETURN_IF_ERROR(guard.CheckRead(spec.data.corpus, corpus.digest));
  SCM_ASSIGN_OR_RETURN(const corpus::SplitAssignment split, SplitOf(corpus, spec.data));
  SCM_ASSIGN_OR_RETURN(const TrainingData data,
                       MakeTrainingData(spec, corpus, split, *source, *tokenizer));
  SCM_ASSIGN_OR_RETURN(const std::string device, PrepareTorch(spec.resources));
  const Precision precision = PrecisionByName(spec.training.precision);
  SCM_ASSIGN_OR_RETURN(const auto model, MakeLlamaModel(*source, precision, device, {}));
  SCM_ASSIGN_OR_RETURN(const ValidationResult result,
                       Validate(data.validation, spec.trainer.score_tokens, go_on, model.get()));
  loss.merged = result.loss;
  return loss;
}

Json MergedLossToJson(const MergedLoss& loss) {
  return {{"base", loss.base},
          {"trained_over", loss.trained_over},
          {"validation_loss_trained", loss.quantized ? JsonNumber(*loss.quantized) : Json()},
          {"validation_loss_merged", JsonNumber(loss.merged)}};
}

std::string DescribeMergedLoss(const MergedLoss& loss) {
  return absl::StrCat("# A merged model\n\nThe adapter was trained over the base in ",
                      loss.trained_over, " and is merged here into the base as it is\n\n    ",
                      loss.base,
                      "\n\nwhich is another model:\n\n| | validation loss |\n|---|---|\n| adapter "
                      "over the base in ",
                      loss.trained_over, ", as trained | ", LossText(loss.quantized),
                      " |\n| this merged model | ", LossText(loss.merged), " |\n");
}

}  // namespace scm::trainer
