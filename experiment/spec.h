// The typed experiment file (docs/experiment-file.md). Immutable once accepted. Values only: no
// I/O, no clock. Defaults are those of the documented contract, so a default-constructed section is
// a valid one. The canonical JSON of a spec has the same nesting and key names as the YAML file.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/civil_time.h"
#include "common/json.h"

namespace scm {

enum class StageKind { kCheck, kSweep, kReplicate, kEvaluate, kExport, kReport };
inline constexpr StageKind kAllStages[] = {StageKind::kCheck,     StageKind::kSweep,
                                           StageKind::kReplicate, StageKind::kEvaluate,
                                           StageKind::kExport,    StageKind::kReport};
// "check", "sweep", …
const char* StageName(StageKind stage);
std::optional<StageKind> StageFromName(const std::string& name);
std::vector<std::string> StageNames(const std::vector<StageKind>& stages);
// Those that `names` name; words that are no stage are left out.
std::vector<StageKind> StagesFromNames(const std::vector<std::string>& names);

// What every validation of a run is recorded with; any other metric is a name of the trainer's own.
inline constexpr const char* kValidationLoss = "validation_loss";
inline constexpr const char* kValidationAccuracy = "validation_accuracy";
bool IsValidationMetric(const std::string& metric);

struct ModelSpec {
  std::string base;      // absolute path of a Hugging Face directory or a .gguf file
  std::string fallback;  // "" = none
};

struct SplitSpec {
  double train = 0.8, validation = 0.1, test = 0.1;
  std::string by = "document";
  int64_t seed = 1;  // the split never depends on a run's seed
};

struct DataSpec {
  std::string corpus;  // absolute directory holding documents/ and items/
  SplitSpec split;
  int64_t max_length = 512;  // tokens
  bool packing = true;
  std::string special_tokens = "text";  // or "parse": markup such as <|im_start|> in texts
  bool end_token = true;                // trained behind every answer; never scored
};

// What single modules have instead of the value for all: a key names them as peft does, and the
// first key that names one counts.
template <typename V>
using ByPattern = std::vector<std::pair<std::string, V>>;

struct LoraSpec {
  int64_t r = 16;
  double alpha = 32;
  bool use_rslora = false;
  ByPattern<int64_t> rank_pattern;
  ByPattern<double> alpha_pattern;
  double dropout = 0.1;
  std::vector<std::string> target_modules = {"q_proj", "v_proj", "o_proj", "gate_proj"};
  std::string quantize_base = "none";  // or "nf4", "int8"
  bool double_quant = true;            // of nf4's scales
  std::string init;                    // directory of an adapter; "" = none
};

struct EarlyStoppingSpec {
  int64_t patience = 5;
  double min_delta = 0.005;
};

struct TrainingSpec {
  double learning_rate = 2.0e-4;
  std::string schedule = "linear";  // or "cosine", "constant"
  int64_t batch_size = 4;           // sequences per micro-batch
  int64_t gradient_accumulation = 1;
  int64_t max_steps = 2000;  // optimiser steps; the schedule always spans these
  // What the file gave instead; max_steps is what they come to.
  std::optional<double> epochs;
  int64_t warmup_steps = 100;
  int64_t save_steps = 100;
  int64_t eval_steps = 50;
  std::string loss_on = "answer";  // or "all"
  double weight_decay = 0.0;
  double max_grad_norm = 1.0;
  std::optional<EarlyStoppingSpec> early_stopping = EarlyStoppingSpec{};  // nullopt: `none`
  std::string precision = "bf16";                                         // "fp32", "tf32"
  bool recompute = false;  // activations, in the backward pass
};

struct TrainerSpec {
  std::vector<std::string> command = {"scm-trainer"};
  Json parameters = Json::object();
  // Whether the command is the built-in trainer, which needs model, data and lora.
  bool built_in() const { return command.size() == 1 && command[0] == "scm-trainer"; }
};

// What trainer.parameters holds for the built-in trainer.
struct TrainerParameters {
  int64_t max_validation_items = 400;    // a larger validation split is sampled down to this many
  int64_t score_tokens = 2048;           // tokens of one scoring batch; memory against speed
  std::vector<std::string> train_tasks;  // items of these tasks are trained; empty = of all
};

struct CheckSpec {
  int64_t steps = 100;
};

// One dimension of the search space.
struct LogUniform {
  double low, high;
};
struct Uniform {
  double low, high;
};
struct IntUniform {
  int64_t low, high;
};
struct Choice {
  std::vector<Json> values;
};
using ParameterSpace = std::variant<LogUniform, Uniform, IntUniform, Choice>;

struct SweepSpec {
  std::string search = "asha";  // asha, random, grid
  std::string metric = kValidationLoss;
  std::string mode = "min";
  int64_t max_trials = 16;
  std::vector<int64_t> rungs;  // ascending validation steps; empty for grid and random
  int64_t eta = 3;
  int64_t seed = 1;  // drives sampling, and trains every trial
  // In file order: dotted key ("training.learning_rate") and its range.
  std::vector<std::pair<std::string, ParameterSpace>> space;
  std::optional<bool> packed = false;  // as of `replicate`, of trials that can share a process
  int64_t pack_size = 16;              // trials in one process at most
};

struct ReplicateSpec {
  std::vector<int64_t> seeds;
  // All of them in one process. nullopt: `auto`, which scmctl decides at submission, because it
  // takes a look at the model.
  std::optional<bool> packed = false;
};

struct NoConvergenceSpec {
  int64_t after_step = 1000;
  double min_loss_reduction = 0.05;
};
struct BelowRandomSpec {
  int64_t after_step = 500;
  double false_abort = 0.001;
};
struct StalledSpec {
  double minutes = 10;
};
// A rule switched off in the file (`no_convergence: none`) is nullopt / false.
struct AbortSpec {
  std::optional<NoConvergenceSpec> no_convergence = NoConvergenceSpec{};
  std::optional<BelowRandomSpec> below_random = BelowRandomSpec{};
  bool non_finite = true;
  std::optional<StalledSpec> stalled = StalledSpec{};
};

struct BudgetSpec {
  double limit = 0;  // in `currency`
  std::string currency = "USD";
  std::map<std::string, double> gpu_hour;  // by GPU model, and "default"
  std::optional<double> cpu_hour;          // one CPU slot for an hour
};

struct TimelineSpec {
  absl::CivilDay finish_by;
  double max_slip_days = 14;
};

struct RetriesSpec {
  int64_t max = 5;
};

struct ResourcesSpec {
  int64_t ranks = 1;     // processes that train one run together; each gets so many GPUs and CPUs
  bool elastic = false;  // another number of ranks may go on from a checkpoint
  double gpus = 0;       // whole ones, or a share of one
  int64_t cpus = 1;
  int64_t priority = 50;      // 0 … 100, higher first
  double gpu_memory_gib = 0;  // what each of the GPUs has at least; what a share takes of it
};

struct BaselineSpec {
  std::string name;
  std::string model;        // path, or ""
  std::string predictions;  // path of a JSONL file, or ""
};

struct PrimarySpec {
  std::string task;
  std::string baseline;
};

struct GatesSpec {
  std::optional<double> loss_reduction;
  std::optional<double> accuracy;
  std::optional<double> p_value;
  std::optional<double> latency_ms_p95;
};

struct EvaluationSpec {
  std::vector<std::string> tasks;
  std::vector<BaselineSpec> baselines;
  std::optional<PrimarySpec> primary;
  GatesSpec gates;
};

struct ExportSpec {
  std::vector<std::string> formats = {"peft", "merged"};
};

struct ExperimentSpec {
  std::string name;
  std::vector<StageKind> stages;
  std::optional<ModelSpec> model;
  std::optional<DataSpec> data;
  LoraSpec lora;
  TrainingSpec training;
  TrainerSpec trainer;
  CheckSpec check;
  std::optional<SweepSpec> sweep;
  ReplicateSpec replicate;
  AbortSpec abort;
  std::optional<BudgetSpec> budget;
  std::optional<TimelineSpec> timeline;
  RetriesSpec retries;
  ResourcesSpec resources;
  std::optional<EvaluationSpec> evaluation;
  std::optional<ExportSpec> export_;
  // With a trainer.command of one's own these may hold anything and are passed through.
  Json opaque_model, opaque_data, opaque_lora;
  // What was found at submission: {"corpus": SHA-256, "model": SHA-256} and, for whoever reads
  // them, "inputs" (corpus/input_check.h).
  Json digests = Json::object();

  bool HasStage(StageKind stage) const;
};

}  // namespace scm
