#include "trainer/loop/train_job.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/quality.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/compute/replay_check.h"
#include "trainer/data/adapter_input.h"
#include "trainer/data/input_guard.h"
#include "trainer/data/input_warnings.h"
#include "trainer/data/training_data.h"
#include "trainer/gang/communicator.h"
#include "trainer/loop/adapter_file.h"
#include "trainer/loop/checkpoint_io.h"
#include "trainer/loop/gang_of_job.h"
#include "trainer/loop/memory_answer.h"
#include "trainer/loop/pack_shape.h"
#include "trainer/loop/quantized_base.h"
#include "trainer/loop/train_loop.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

// A debug mode: docs/gpu-kernels.md.
bool ReplayChecked() {
  const char* const text = std::getenv("SCM_CHECK_REPLAY");
  return text != nullptr && absl::string_view(text) == "1";
}

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

// The adapters that runs of the job start from.
std::set<std::string> InitsOf(const JobSpec& spec) {
  std::set<std::string> inits;
  if (!spec.lora.init.empty()) inits.insert(spec.lora.init);
  for (const JobSpec& one : spec.pack) {
    if (!one.lora.init.empty()) inits.insert(one.lora.init);
  }
  return inits;
}

// What a run trains fits the base.
absl::Status CheckLora(const LoraSpec& lora, const model::LlamaConfig& base) {
  SCM_RETURN_IF_ERROR(CheckLoraPatterns(lora, base));
  return lora.init.empty() ? absl::OkStatus() : OpenInit(lora, base).status();
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
  for (const std::string& init : InitsOf(spec)) SCM_RETURN_IF_ERROR(guard.Check(init));
  SCM_ASSIGN_OR_RETURN(inputs.source, model::OpenModel(spec.model));
  SCM_RETURN_IF_ERROR(CheckLora(spec.lora, inputs.source->config()));
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
  SCM_ASSIGN_OR_RETURN(inputs.data,
                       MakeTrainingData(spec, inputs.corpus, split, *inputs.source, *tokenizer));
  for (const std::string& warning : inputs.data.warnings) inputs.warnings.push_back(warning);
  for (const std::string& warning : inputs.warnings) Log(absl::StrCat("warning: ", warning));
  return inputs;
}

absl::StatusOr<std::unique_ptr<LlamaModel>> MakeModel(const JobSpec& spec,
                                                      const model::ModelSource& source,
                                                      const std::string& device, ReplayCheck* check,
                                                      std::vector<std::string>* warnings) {
  const Precision precision = PrecisionByName(spec.training.precision);
  Log(absl::StrCat("loading ", spec.model, " in ", spec.training.precision, " on ", device));
  QuantizedCache cache = QuantizedCacheOf(spec);
  SCM_ASSIGN_OR_RETURN(
      auto model, MakeLlamaModel(source, precision, device, ToBaseQuantization(spec.lora), &cache));
  model->RecomputeActivations(spec.training.recompute);
  if (check != nullptr) SCM_RETURN_IF_ERROR(model->CheckReplays(check));
  const QuantizedBase base = model->quantized_base();
  if (base.matrices > 0) Log(DescribeQuantizedBase(base));
  for (const std::string& warning : QuantizedBaseWarnings(base)) {
    Log(absl::StrCat("warning: ", warning));
    warnings->push_back(warning);
  }
  return model;
}

// One run of the job with what it reports and saves through.
struct RunOfJob {
  RunOfJob(const JobSpec& spec, size_t adapter_set, bool of_several, const TrainInputs& inputs,
           LlamaModel* model, Optimizer* optimizer, Reporter* process, CommandQueue* commands,
           gang::Communicator* gang)
      : named(process, spec.run_id),
        checkpoints(spec.work_dir, ToLoraConfig(spec.lora), spec.model, model, adapter_set),
        adapter_set(adapter_set),
        run(spec,
            {model, &inputs.data.train, &inputs.data.validation, of_several ? &named : process,
             commands, &checkpoints, optimizer, adapter_set, gang}) {}

  Reporter named;
  CheckpointWriter checkpoints;
  size_t adapter_set;
  TrainRun run;
};

absl::Status ResumeRun(LlamaModel* model, RunOfJob* one) {
  const JobSpec& spec = one->run.spec();
  if (!spec.resume_from.has_value()) return absl::OkStatus();
  Log(absl::StrCat("resuming ", spec.run_id, " from step ", spec.resume_from->step));
  SCM_ASSIGN_OR_RETURN(
      const TrainingState state,
      ReadCheckpoint(spec.resume_from->dir, model, &one->run.optimizer(), one->adapter_set));
  if (state.step != spec.resume_from->step) {
    return absl::InvalidArgumentError(absl::StrCat(spec.resume_from->dir, " holds step ",
                                                   state.step, ", but resume_from says ",
                                                   spec.resume_from->step));
  }
  return one->run.Resume(state);
}

// Whether a failure of one run of several is its own: another try of the process would not help.
bool IsItsOwn(const absl::Status& status) {
  return absl::string_view(FailureKind(status)) == "bad_input" || absl::IsAborted(status);
}

// The runs of a job in one process, over one base and one reading of the data.
class Training {
 public:
  Training(const JobSpec& spec, const TrainInputs& inputs, InputGuard* guard, LlamaModel* model,
           Reporter* reporter, CommandQueue* commands, gang::Communicator* gang)
      : spec_(spec),
        inputs_(inputs),
        guard_(guard),
        model_(model),
        reporter_(reporter),
        commands_(commands),
        gang_(gang) {}

  absl::Status Run(Clock* clock) {
    SCM_RETURN_IF_ERROR(MakeRuns());
    std::vector<TrainRun*> runs;
    for (const auto& one : runs_) {
      const absl::Status resumed = ResumeRun(model_, one.get());
      if (resumed.ok()) {
        runs.push_back(&one->run);
      } else {
        SCM_RETURN_IF_ERROR(OnEnd(one->run, resumed));
      }
    }
    if (!gang_->alone()) SCM_RETURN_IF_ERROR(CheckStart(runs_.front()->run));
    TrainLoop loop(model_, optimizer_.get(), clock, std::move(runs));
    SCM_RETURN_IF_ERROR(loop.Run([this](TrainRun& run, absl::StatusOr<TrainOutcome> outcome) {
      return OnEnd(run, std::move(outcome));
    }));
    if (!packed()) return absl::OkStatus();
    return all_stopped_ ? reporter_->Stopped(last_step_) : reporter_->Done(Json::object());
  }

 private:
  bool packed() const { return !spec_.pack.empty(); }

  absl::Status MakeRuns() {
    std::vector<const JobSpec*> specs;
    for (const JobSpec& one : spec_.pack) specs.push_back(&one);
    if (!packed()) specs.push_back(&spec_);
    for (size_t i = 0; i < specs.size(); ++i) {
      SCM_RETURN_IF_ERROR(AddAdapters(*specs[i], i));
    }
    optimizer_ = MakeOptimizer(model_);
    for (size_t i = 0; i < specs.size(); ++i) {
      runs_.push_back(std::make_unique<RunOfJob>(*specs[i], i, packed(), inputs_, model_,
                                                 optimizer_.get(), reporter_, commands_, gang_));
    }
    return absl::OkStatus();
  }

  // All ranks begin at the same place: what they do is the same from here on.
  absl::Status CheckStart(TrainRun& run) {
    Sha256 digest;
    digest.Update(DumpJson(TrainingStateToJson(run.state())));
    for (const AdamW::Slot& slot : run.optimizer().slots()) {
      const at::Tensor values = slot.parameter->cpu().contiguous();
      digest.Update({static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
    }
    return gang::CheckSame(*gang_, "data or adapters to start from", digest.Finish());
  }

  absl::Status AddAdapters(const JobSpec& spec, size_t set) {
    SCM_RETURN_IF_ERROR(CheckLora(spec.lora, model_->config()));
    SCM_RETURN_IF_ERROR(model_->AddAdapterSet(ToLoraConfig(spec.lora), spec.seed));
    if (spec.lora.init.empty()) return absl::OkStatus();
    Log(absl::StrCat("starting ", spec.run_id, " from the adapter ", spec.lora.init));
    SCM_RETURN_IF_ERROR(ReadAdapterWeights(spec.lora.init, model_, set));
    return guard_->Check(spec.lora.init);  // nor did it change while it was read
  }

  // The last word of a run. An order to the whole process is answered once, by the process.
  absl::Status OnEnd(TrainRun& run, absl::StatusOr<TrainOutcome> outcome) {
    if (!outcome.ok() && !(packed() && IsItsOwn(outcome.status()))) return outcome.status();
    Reporter* const reporter = run.reporter();
    if (!outcome.ok()) {
      Log(absl::StrCat(run.spec().run_id, ": ", outcome.status().message()));
      return reporter->Failed(FailureKind(outcome.status()), outcome.status().message());
    }
    last_step_ = std::max(last_step_, outcome->state.step);
    if (outcome->stopped && packed() && commands_->stop().has_value()) {
      all_stopped_ = true;
      return absl::OkStatus();
    }
    if (outcome->stopped) return reporter->Stopped(outcome->state.step);
    return reporter->Done(spec_.kind == TaskKind::kCheck
                              ? CheckSummary(inputs_.corpus, inputs_.warnings, *outcome)
                              : TrainSummary(*outcome, *model_));
  }

  const JobSpec& spec_;
  const TrainInputs& inputs_;
  InputGuard* guard_;
  LlamaModel* model_;
  Reporter* reporter_;
  CommandQueue* commands_;
  gang::Communicator* gang_;
  std::unique_ptr<Optimizer> optimizer_;
  std::vector<std::unique_ptr<RunOfJob>> runs_;
  bool all_stopped_ = false;
  int64_t last_step_ = 0;
};

// What `work` has no memory for is answered with what would fit.
absl::Status WithinMemory(const JobSpec& spec, const model::LlamaConfig& config,
                          const std::string& device, const std::function<absl::Status()>& work) {
  const std::optional<int64_t> free = FreeMemory(device);
  const absl::Status status = TorchGuarded(work, "");
  if (!absl::IsResourceExhausted(status)) return status;
  std::vector<const JobSpec*> runs;
  for (const JobSpec& one : spec.pack) runs.push_back(&one);
  if (runs.empty()) runs.push_back(&spec);
  const bool said = absl::StartsWith(status.message(), "out of memory");
  return absl::ResourceExhaustedError(absl::StrCat(
      said ? "" : "out of memory: ", absl::StripSuffix(status.message(), "."), ". ",
      MemoryAnswer(runs, config, device, free, device == "cpu" ? &BestCpuFunctions() : nullptr)));
}

absl::Status Train(const JobSpec& spec, Reporter* reporter, CommandQueue* commands, Clock* clock,
                   gang::Communicator* gang) {
  InputGuard guard(spec);
  SCM_ASSIGN_OR_RETURN(TrainInputs inputs, OpenInputs(spec, reporter, guard));
  SCM_ASSIGN_OR_RETURN(const std::string device, PrepareTorch(spec.resources));
  ReplayCheck check;
  return WithinMemory(spec, inputs.source->config(), device, [&]() -> absl::Status {
    SCM_ASSIGN_OR_RETURN(const auto model,
                         MakeModel(spec, *inputs.source, device, ReplayChecked() ? &check : nullptr,
                                   &inputs.warnings));
    SCM_RETURN_IF_ERROR(guard.Check(spec.model));  // nor did it change while it was read
    Log(absl::StrCat("training on ", inputs.data.train.size(), " examples, validating on ",
                     inputs.data.validation.items.size()));
    return Training(spec, inputs, &guard, model.get(), reporter, commands, gang).Run(clock);
  });
}

}  // namespace

absl::Status RunTrainJob(const JobSpec& spec, Reporter* reporter, CommandQueue* commands,
                         Clock* clock) {
  SCM_RETURN_IF_ERROR(CheckPackShape(spec.pack));
  const absl::StatusOr<std::unique_ptr<gang::Communicator>> gang =
      GangOfJob(spec, reporter, commands);
  if (absl::IsCancelled(gang.status())) {
    return reporter->Stopped(spec.resume_from ? spec.resume_from->step : 0);
  }
  SCM_RETURN_IF_ERROR(gang.status());
  const absl::Status status =
      TorchGuarded([&] { return Train(spec, reporter, commands, clock, gang->get()); });
  // A divergence is no news: all ranks have found it.
  (*gang)->Leave(absl::IsAborted(status) ? absl::OkStatus() : status);
  return status;
}

}  // namespace scm::trainer
