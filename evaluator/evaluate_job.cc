#include "evaluator/evaluate_job.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/resident_memory.h"
#include "common/status_macros.h"
#include "evaluator/evaluation_file.h"
#include "evaluator/latency.h"
#include "evaluator/predictions.h"
#include "model/formats/hf_family.h"
#include "model/formats/llama_tensors.h"
#include "model/open_model.h"
#include "trainer/data/choice_scoring.h"
#include "trainer/data/input_guard.h"
#include "trainer/data/input_warnings.h"
#include "trainer/data/training_data.h"
#include "trainer/loop/adapter_file.h"
#include "trainer/loop/quantized_base.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::evaluator {
namespace {

// The seed is judged by its certified 95th percentile, which needs 130 samples; the base's latency
// is there to compare with.
constexpr int64_t kSeedLatencySamples = 130;
constexpr int64_t kBaseLatencySamples = 30;

void Log(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

// A model in memory with its tokenised tests.
struct LoadedModel {
  std::unique_ptr<model::Tokenizer> tokenizer;
  std::unique_ptr<trainer::LlamaModel> model;
  TestExamples examples;
  int64_t bytes = 0;  // of its weights
};

class Evaluator {
 public:
  Evaluator(const trainer::JobSpec& spec, trainer::Reporter* reporter,
            trainer::CommandQueue* commands, Clock* clock)
      : spec_(spec), guard_(spec), reporter_(reporter), commands_(commands), clock_(clock) {}

  absl::Status Run();
  int64_t scored() const { return scored_; }

 private:
  absl::Status LoadTests();
  absl::Status EvaluateBaseAndSeeds();
  absl::Status EvaluateBase(LoadedModel* loaded);
  absl::Status EvaluateSeed(const trainer::JobInput& input, bool measure, LoadedModel* loaded);
  absl::Status EvaluateBaseline(const BaselineSpec& baseline);
  absl::Status Import(const std::string& path, EvaluatedModel& model);
  absl::StatusOr<LoadedModel> Load(const std::string& path,
                                   const trainer::BaseQuantization& quantization);
  // The model's scores, or in `missing` why its answers cannot be ranked.
  absl::Status Score(const LoadedModel& loaded, EvaluatedModel* model);
  absl::StatusOr<std::vector<double>> Latency(const LoadedModel& loaded, int64_t samples);
  bool ReportItems(int64_t scored);
  int64_t ItemsToScore() const;
  bool ScoresBase() const { return !spec_.evaluate || spec_.evaluate->base; }
  bool MeasuresLatency() const { return !spec_.evaluate || spec_.evaluate->latency; }
  std::vector<trainer::JobInput> Checkpoints() const;
  std::vector<BaselineSpec> Baselines() const;
  std::string BaseName() const;
  std::string SeedName(const trainer::JobInput& input) const;
  const TestTask& LatencyTask() const;

  const trainer::JobSpec& spec_;
  trainer::InputGuard guard_;
  trainer::Reporter* reporter_;
  trainer::CommandQueue* commands_;
  Clock* clock_;
  std::string device_;
  corpus::Corpus corpus_;  // before the items that point into it
  Evaluation evaluation_;
  int64_t items_to_score_ = 0, scored_ = 0;  // over all models
  int64_t peak_rss_bytes_ = 0;               // before the peak was last forgotten
};

absl::Status Evaluator::LoadTests() {
  std::vector<std::string> warnings;
  SCM_RETURN_IF_ERROR(guard_.Check(spec_.data.corpus));
  SCM_ASSIGN_OR_RETURN(corpus_, trainer::LoadJobCorpus(spec_.data, &warnings));
  SCM_RETURN_IF_ERROR(guard_.CheckRead(spec_.data.corpus, corpus_.digest));
  SCM_ASSIGN_OR_RETURN(const corpus::SplitAssignment split, trainer::SplitOf(corpus_, spec_.data));
  SCM_ASSIGN_OR_RETURN(evaluation_.tasks, TestTasks(corpus_, split, spec_.evaluation.tasks));
  const std::vector<std::string>& trained = spec_.trainer.train_tasks;
  for (TestTask& task : evaluation_.tasks) {
    task.trained =
        trained.empty() || std::find(trained.begin(), trained.end(), task.name) != trained.end();
  }
  evaluation_.demonstration = corpus_.info.demonstration;
  for (const std::string& warning : warnings) Log(absl::StrCat("warning: ", warning));
  return absl::OkStatus();
}

// A baseline that is the base itself lends it its name.
std::string Evaluator::BaseName() const {
  for (const BaselineSpec& baseline : spec_.evaluation.baselines) {
    if (baseline.model == spec_.model) return baseline.name;
  }
  return "base";
}

std::string Evaluator::SeedName(const trainer::JobInput& input) const {
  const std::string name = absl::StrCat("seed ", input.seed);
  for (const EvaluatedModel& model : evaluation_.models) {
    if (model.name == name) return absl::StrCat(name, " (", input.run, ")");
  }
  return name;
}

const TestTask& Evaluator::LatencyTask() const {
  for (const TestTask& task : evaluation_.tasks) {
    if (spec_.evaluation.primary.has_value() && task.name == spec_.evaluation.primary->task) {
      return task;
    }
  }
  return evaluation_.tasks[0];
}

absl::StatusOr<LoadedModel> Evaluator::Load(const std::string& path,
                                            const trainer::BaseQuantization& quantization) {
  Log(absl::StrCat("loading ", path, " in ", spec_.training.precision, " on ", device_));
  SCM_ASSIGN_OR_RETURN(const auto source, model::OpenModel(path));
  SCM_RETURN_IF_ERROR(model::CheckWindow(source->config(), spec_.data.max_length, path));
  LoadedModel loaded;
  SCM_ASSIGN_OR_RETURN(loaded.tokenizer, source->MakeTokenizer());
  std::vector<std::string> warnings = trainer::ModelWarnings(*source, *loaded.tokenizer, nullptr);
  SCM_ASSIGN_OR_RETURN(loaded.examples,
                       TokenizeTests(evaluation_.tasks, *loaded.tokenizer,
                                     trainer::ScoringOptions(spec_.data), &warnings));
  for (const std::string& warning : warnings) Log(absl::StrCat("warning: ", warning));
  const trainer::Precision precision = trainer::PrecisionByName(spec_.training.precision);
  const bool half = precision == trainer::Precision::kBFloat16;
  for (const model::TensorInfo& tensor : source->tensors()) {
    loaded.bytes += model::ElementCount(tensor.shape) * (half ? 2 : 4);
  }
  trainer::QuantizedCache cache = trainer::QuantizedCacheOf(spec_);
  SCM_ASSIGN_OR_RETURN(loaded.model,
                       trainer::MakeLlamaModel(*source, precision, device_, quantization, &cache));
  const trainer::QuantizedBase base = loaded.model->quantized_base();
  if (base.matrices > 0) {
    Log(trainer::DescribeQuantizedBase(base));
    loaded.bytes += base.bytes - base.parameters * (half ? 2 : 4);
  }
  return loaded;
}

std::vector<trainer::JobInput> Evaluator::Checkpoints() const {
  std::vector<trainer::JobInput> checkpoints;
  for (const trainer::JobInput& input : spec_.inputs) {
    if (input.kind == "checkpoint") checkpoints.push_back(input);
  }
  return checkpoints;
}

// Those to be scored here, without the one that lends its name to the base.
std::vector<BaselineSpec> Evaluator::Baselines() const {
  std::vector<BaselineSpec> baselines;
  for (const BaselineSpec& baseline : spec_.evaluation.baselines) {
    if (baseline.name == BaseName()) continue;
    if (!spec_.evaluate ||
        std::find(spec_.evaluate->baselines.begin(), spec_.evaluate->baselines.end(),
                  baseline.name) != spec_.evaluate->baselines.end()) {
      baselines.push_back(baseline);
    }
  }
  return baselines;
}

// Of all models that are run; predictions cost nothing.
int64_t Evaluator::ItemsToScore() const {
  int64_t models = ScoresBase() ? 1 : 0;
  models += static_cast<int64_t>(Checkpoints().size());
  for (const BaselineSpec& baseline : Baselines()) models += baseline.predictions.empty();
  return models * CountItems(evaluation_.tasks);
}

// Says how far the evaluation is; false when it is to stop.
bool Evaluator::ReportItems(int64_t scored) {
  const double step = static_cast<double>(scored), total = static_cast<double>(items_to_score_);
  return reporter_->Progress(scored, {{"items_scored", step}, {"total", total}}).ok() &&
         !commands_->stop().has_value();
}

absl::Status Evaluator::Score(const LoadedModel& loaded, EvaluatedModel* model) {
  std::vector<const trainer::TokenExample*> examples;
  for (const auto& task : loaded.examples) {
    for (const auto& item : task) {
      for (const trainer::TokenExample& choice : item) examples.push_back(&choice);
    }
  }
  const int64_t items = CountItems(evaluation_.tasks);
  const double total = static_cast<double>(examples.size());
  const absl::Duration began = clock_->Steady();
  const auto go_on = [&](int64_t done) {
    return ReportItems(scored_ + static_cast<int64_t>(static_cast<double>(items * done) / total));
  };
  SCM_ASSIGN_OR_RETURN(
      const auto scores,
      trainer::ScoreExamples(examples, spec_.trainer.score_tokens, go_on, loaded.model.get()));
  scored_ += items;
  const double seconds = absl::ToDoubleSeconds(clock_->Steady() - began);
  Log(absl::StrFormat("%d items in %.1f s, %.1f items/s", items, seconds,
                      static_cast<double>(items) / std::max(seconds, 1e-9)));
  model->missing = WhyNotRanked(evaluation_.tasks, scores);
  if (model->missing.empty()) {
    model->scores = MakeScores(evaluation_.tasks, scores);
  } else {
    Log(absl::StrCat("warning: ", model->name, ": ", model->missing));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Evaluator::Latency(const LoadedModel& loaded, int64_t samples) {
  LatencyPlan plan{samples, trainer::ScoringOptions(spec_.data),
                   [this] { return ReportItems(scored_); }};
  evaluation_.latency_items = static_cast<int64_t>(LatencyTask().items.size());
  return MeasureLatency(LatencyTask(), *loaded.tokenizer, plan, loaded.model.get(), clock_);
}

absl::Status Evaluator::EvaluateSeed(const trainer::JobInput& input, bool measure,
                                     LoadedModel* loaded) {
  EvaluatedModel seed;
  seed.name = SeedName(input);
  seed.kind = EvaluatedModel::Kind::kSeed;
  seed.seed = input.seed;
  seed.run = input.run;
  seed.step = input.step;
  Log(absl::StrCat("scoring ", seed.name));
  SCM_RETURN_IF_ERROR(trainer::LoadAdapter(input.dir, loaded->model.get()));
  loaded->model->EnableAdapters(true);
  SCM_RETURN_IF_ERROR(Score(*loaded, &seed));
  if (measure && seed.missing.empty()) {
    SCM_ASSIGN_OR_RETURN(seed.latency_ms, Latency(*loaded, kSeedLatencySamples));
  }
  evaluation_.models.push_back(std::move(seed));
  return absl::OkStatus();
}

absl::Status Evaluator::EvaluateBase(LoadedModel* loaded) {
  EvaluatedModel base;
  base.name = BaseName();
  base.kind = EvaluatedModel::Kind::kBase;
  loaded->model->EnableAdapters(false);
  if (MeasuresLatency()) {
    // Before any batch is scored, so that the peak is that of single answers.
    peak_rss_bytes_ = PeakResidentBytes();
    const bool fresh = ResetPeakResidentBytes();
    SCM_ASSIGN_OR_RETURN(base.latency_ms, Latency(*loaded, kBaseLatencySamples));
    if (fresh) evaluation_.inference_peak_rss_bytes = PeakResidentBytes();
  }
  Log("scoring the base");
  SCM_RETURN_IF_ERROR(Score(*loaded, &base));
  if (!base.missing.empty()) base.latency_ms.clear();  // of answers that are none
  evaluation_.models.push_back(std::move(base));
  return absl::OkStatus();
}

absl::Status Evaluator::EvaluateBaseAndSeeds() {
  const std::vector<trainer::JobInput> checkpoints = Checkpoints();
  if (!ScoresBase() && checkpoints.empty()) return absl::OkStatus();
  // Seeds are scored over the base that they were trained on; the base, as it was before.
  const trainer::BaseQuantization quantization = trainer::ToBaseQuantization(spec_.lora);
  SCM_RETURN_IF_ERROR(guard_.Check(spec_.model));
  SCM_ASSIGN_OR_RETURN(
      LoadedModel loaded,
      Load(spec_.model, ScoresBase() ? trainer::BaseQuantization() : quantization));
  if (ScoresBase()) SCM_RETURN_IF_ERROR(EvaluateBase(&loaded));
  if (ScoresBase() && quantization.active() && !checkpoints.empty()) {
    loaded = LoadedModel();
    SCM_ASSIGN_OR_RETURN(loaded, Load(spec_.model, quantization));
  }
  SCM_RETURN_IF_ERROR(guard_.Check(spec_.model));  // nor did it change while it was read
  bool measure = MeasuresLatency();
  for (const trainer::JobInput& input : checkpoints) {
    SCM_RETURN_IF_ERROR(EvaluateSeed(input, measure, &loaded));
    measure = false;
  }
  evaluation_.peak_rss_bytes = std::max(peak_rss_bytes_, PeakResidentBytes());
  evaluation_.model_bytes = loaded.bytes;
  return absl::OkStatus();
}

// An error is that it is not what was submitted; what is wrong with it otherwise is for the report.
absl::Status Evaluator::Import(const std::string& path, EvaluatedModel& model) {
  SCM_RETURN_IF_ERROR(guard_.Check(path));
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (text.ok()) SCM_RETURN_IF_ERROR(guard_.CheckRead(path, Sha256Hex(*text)));
  absl::StatusOr<ImportedPredictions> imported =
      text.ok() ? ScorePredictions(*text, path, evaluation_.tasks)
                : absl::StatusOr<ImportedPredictions>(text.status());
  if (!imported.ok()) {
    model.missing = std::string(imported.status().message());
    return absl::OkStatus();
  }
  model.scores = std::move(imported->scores);
  model.missing = imported->missing;
  return absl::OkStatus();
}

absl::Status Evaluator::EvaluateBaseline(const BaselineSpec& baseline) {
  EvaluatedModel model;
  model.name = baseline.name;
  if (!baseline.predictions.empty()) {
    model.kind = EvaluatedModel::Kind::kPredictions;
    SCM_RETURN_IF_ERROR(Import(baseline.predictions, model));
    if (!model.missing.empty()) {
      Log(absl::StrCat("warning: baseline ", model.name, ": ", model.missing));
    }
  } else {
    model.kind = EvaluatedModel::Kind::kModel;
    SCM_RETURN_IF_ERROR(guard_.Check(baseline.model));
    absl::StatusOr<LoadedModel> loaded = Load(baseline.model, trainer::BaseQuantization());
    SCM_RETURN_IF_ERROR(guard_.Check(baseline.model));
    if (loaded.ok()) {
      SCM_RETURN_IF_ERROR(Score(*loaded, &model));
    } else {
      model.missing = std::string(loaded.status().message());
      Log(absl::StrCat("warning: baseline ", model.name, ": ", model.missing));
    }
  }
  evaluation_.models.push_back(std::move(model));
  return absl::OkStatus();
}

absl::Status Evaluator::Run() {
  SCM_RETURN_IF_ERROR(LoadTests());
  items_to_score_ = ItemsToScore();
  SCM_ASSIGN_OR_RETURN(device_, trainer::PrepareTorch(spec_.resources));
  SCM_RETURN_IF_ERROR(EvaluateBaseAndSeeds());
  for (const BaselineSpec& baseline : Baselines()) {
    SCM_RETURN_IF_ERROR(EvaluateBaseline(baseline));
  }
  evaluation_.inputs = guard_.Compared();
  const std::string path = absl::StrCat(spec_.work_dir, "/evaluation.json");
  SCM_RETURN_IF_ERROR(WriteFileDurably(path, DumpJson(EvaluationToJson(evaluation_)) + "\n"));
  SCM_RETURN_IF_ERROR(reporter_->Artifact("evaluation", path));
  return reporter_->Done(
      {{"items", CountItems(evaluation_.tasks)}, {"models", evaluation_.models.size()}});
}

}  // namespace

absl::Status RunEvaluateJob(const trainer::JobSpec& spec, trainer::Reporter* reporter,
                            trainer::CommandQueue* commands, Clock* clock) {
  Evaluator evaluator(spec, reporter, commands, clock);
  const absl::Status status = evaluator.Run();
  if (absl::IsCancelled(status)) return reporter->Stopped(evaluator.scored());
  return status;
}

}  // namespace scm::evaluator
