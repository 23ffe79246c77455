#include "trainer/loop/train_job.h"

#include <cstdio>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/quality.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/data/input_guard.h"
#include "trainer/data/input_warnings.h"
#include "trainer/data/training_data.h"
#include "trainer/loop/checkpoint_io.h"
#include "trainer/loop/quantized_base.h"
#include "trainer/loop/train_loop.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

void Log(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

// The stage `check`: findings to a file, which becomes an artifact.
absl::Status CheckData(const JobSpec& spec, const corpus::Corpus& corpus,
                       const corpus::SplitAssignment& split, Reporter* reporter,
                       std::vector<std::string>* warnings) {
  corpus::QualityOptions options;
  options.tasks = spec.evaluation.tasks;
  const corpus::QualityReport report = corpus::CheckQuality(corpus, split, options);
  const std::string path = absl::StrCat(spec.work_dir, "/data_check.json");
  SCM_RETURN_IF_ERROR(
      WriteFileDurably(path, DumpJson(corpus::QualityToJson(corpus, report), 2) + "\n"));
  SCM_RETURN_IF_ERROR(reporter->Artifact("data_check", path));
  for (const std::string& warning : report.Messages(corpus::Severity::kWarning)) {
    warnings->push_back(warning);
  }
  if (!report.has_errors()) return absl::OkStatus();
  const std::vector<std::string> errors = report.Messages(corpus::Severity::kError);
  return absl::InvalidArgumentError(absl::StrCat("the data check of ", spec.data.corpus, " found ",
                                                 errors.size(),
                                                 " errors: ", absl::StrJoin(errors, " · ")));
}

Json ResultJson(const std::optional<ValidationResult>& result) {
  Json json = {{"validation_loss", nullptr}, {"validation_accuracy", nullptr}};
  if (!result.has_value()) return json;
  for (const auto& [name, value] : result->ToMetrics()) json[name] = JsonNumber(value);
  return json;
}

Json TrainSummary(const TrainOutcome& outcome, const LlamaModel& model) {
  const TrainingState& state = outcome.state;
  Json summary = {{"final_step", state.step},
                  {"best_step", state.best_step < 0 ? Json() : Json(state.best_step)},
                  {"best_validation_loss", state.best_loss ? JsonNumber(*state.best_loss) : Json()},
                  {"tokens", state.tokens},
                  {"stopped_early", outcome.stopped_early}};
  const QuantizedBase base = model.quantized_base();
  if (base.matrices > 0) summary["quantized_base"] = QuantizedBaseToJson(base);
  return summary;
}

Json CheckSummary(const corpus::Corpus& corpus, const std::vector<std::string>& warnings,
                  const TrainOutcome& outcome) {
  return {{"items", corpus.items.size()},
          {"documents", corpus.documents.size()},
          {"warnings", warnings},
          {"base", ResultJson(outcome.state.base)},
          {"final", ResultJson(outcome.state.validation)},
          {"tokens_per_second", JsonNumber(outcome.tokens_per_second)}};
}

// The job's inputs, opened in the order of what is cheap to get wrong.
struct TrainInputs {
  corpus::Corpus corpus;
  TrainingData data;
  std::vector<std::string> warnings;
  std::unique_ptr<model::ModelSource> source;
};

absl::StatusOr<TrainInputs> OpenInputs(const JobSpec& spec, Reporter* reporter, InputGuard& guard) {
  TrainInputs inputs;
  SCM_RETURN_IF_ERROR(guard.Check(spec.model));
  SCM_RETURN_IF_ERROR(guard.Check(spec.data.corpus));
  SCM_ASSIGN_OR_RETURN(inputs.source, model::OpenModel(spec.model));
  SCM_RETURN_IF_ERROR(
      model::CheckWindow(inputs.source->config(), spec.data.max_length, spec.model));
  SCM_ASSIGN_OR_RETURN(const auto tokenizer, inputs.source->MakeTokenizer());
  SCM_ASSIGN_OR_RETURN(inputs.corpus, LoadJobCorpus(spec.data, &inputs.warnings));
  SCM_RETURN_IF_ERROR(guard.CheckRead(spec.data.corpus, inputs.corpus.digest));
  SCM_ASSIGN_OR_RETURN(const corpus::SplitAssignment split, SplitOf(inputs.corpus, spec.data));
  if (spec.kind == TaskKind::kCheck) {
    SCM_RETURN_IF_ERROR(CheckData(spec, inputs.corpus, split, reporter, &inputs.warnings));
  }
  for (std::string& warning : ModelWarnings(*inputs.source, *tokenizer, &spec.data)) {
    inputs.warnings.push_back(std::move(warning));
  }
  const bool documents = spec.training.loss_on == "all";
  for (std::string& warning : MarkupWarnings(inputs.corpus, *tokenizer, spec.data, documents)) {
    inputs.warnings.push_back(std::move(warning));
  }
  SCM_ASSIGN_OR_RETURN(inputs.data, MakeTrainingData(spec, inputs.corpus, split, *tokenizer));
  for (const std::string& warning : inputs.data.warnings) inputs.warnings.push_back(warning);
  for (const std::string& warning : inputs.warnings) Log(absl::StrCat("warning: ", warning));
  return inputs;
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeModel(const JobSpec& spec,
                                                      const model::ModelSource& source,
                                                      std::vector<std::string>* warnings) {
  SCM_ASSIGN_OR_RETURN(const std::string device, PrepareTorch(spec.resources));
  const Precision precision =
      spec.training.precision == "bf16" ? Precision::kBFloat16 : Precision::kFloat32;
  Log(absl::StrCat("loading ", spec.model, " in ", spec.training.precision, " on ", device));
  QuantizedCache cache = QuantizedCacheOf(spec);
  SCM_ASSIGN_OR_RETURN(
      auto model, MakeLlamaModel(source, precision, device, ToBaseQuantization(spec.lora), &cache));
  const QuantizedBase base = model->quantized_base();
  if (base.matrices > 0) Log(DescribeQuantizedBase(base));
  for (const std::string& warning : QuantizedBaseWarnings(base)) {
    Log(absl::StrCat("warning: ", warning));
    warnings->push_back(warning);
  }
  SCM_RETURN_IF_ERROR(model->AddLora(ToLoraConfig(spec.lora), spec.seed));
  return model;
}

}  // namespace

LoraConfig ToLoraConfig(const LoraSpec& spec) {
  return LoraConfig{spec.r, spec.alpha, spec.dropout, spec.target_modules};
}

absl::Status RunTrainJob(const JobSpec& spec, Reporter* reporter, CommandQueue* commands,
                         Clock* clock) {
  InputGuard guard(spec);
  SCM_ASSIGN_OR_RETURN(TrainInputs inputs, OpenInputs(spec, reporter, guard));
  SCM_ASSIGN_OR_RETURN(const auto model, MakeModel(spec, *inputs.source, &inputs.warnings));
  SCM_RETURN_IF_ERROR(guard.Check(spec.model));  // nor did it change while it was read
  Log(absl::StrCat("training on ", inputs.data.train.size(), " examples, validating on ",
                   inputs.data.validation.items.size()));
  CheckpointWriter checkpoints(spec.work_dir, ToLoraConfig(spec.lora), spec.model, model.get());
  TrainLoop loop(spec, {model.get(), &inputs.data.train, &inputs.data.validation, reporter,
                        commands, &checkpoints, clock});
  if (spec.resume_from.has_value()) {
    Log(absl::StrCat("resuming from step ", spec.resume_from->step));
    SCM_ASSIGN_OR_RETURN(const TrainingState state,
                         ReadCheckpoint(spec.resume_from->dir, model.get(), &loop.optimizer()));
    if (state.step != spec.resume_from->step) {
      return absl::InvalidArgumentError(absl::StrCat(spec.resume_from->dir, " holds step ",
                                                     state.step, ", but resume_from says ",
                                                     spec.resume_from->step));
    }
    SCM_RETURN_IF_ERROR(loop.Resume(state));
  }
  SCM_ASSIGN_OR_RETURN(const TrainOutcome outcome, loop.Run());
  if (outcome.stopped) return reporter->Stopped(outcome.state.step);
  return reporter->Done(spec.kind == TaskKind::kCheck
                            ? CheckSummary(inputs.corpus, inputs.warnings, outcome)
                            : TrainSummary(outcome, *model));
}

}  // namespace scm::trainer
