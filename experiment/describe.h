// Every key of the experiment file, said once: its name, one sentence, what it may hold. Its
// default is the initialiser in experiment/spec.h. Whoever reads, writes, sweeps or explains keys
// walks these descriptions with a visitor:
//
//   SectionReader (reader.h)         the user's YAML and scmctl's JSON, every error at its line
//   JsonWriter (canonical.cc)        the canonical form, whose order is the order here
//   KeyLister (key_list.cc)          the table in docs/experiment-file.md; what can be swept
//   JobKeys (trainer/protocol/job_keys.h)  the sections that the built-in programs find in SCM_SPEC
//
// A visitor has Field(key, value, rule) for a value, Section(key, section, …) for a section within,
// which may be optional, Sections(key, list) for a list of them, and Planned(name) for a key that
// is known but not supported yet. What has to hold between keys is in checks.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "experiment/keys.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// The sections that a built-in program reads as well.
inline constexpr Key kModel = Key{"model"}.Required("Give model: {base: DIRECTORY or FILE.gguf}");
inline constexpr Key kData = Key{"data"}.Required("Give data: {corpus: DIRECTORY}");
inline constexpr Key kLora = Key{"lora"};
inline constexpr Key kTraining = Key{"training"};
inline constexpr Key kTrainerParameters =
    Key{"parameters", "Handed to the trainer as it is"}.OrNone();
inline constexpr Key kEvaluation = Key{"evaluation"}.OrNone();
inline constexpr Key kExport = Key{"export"}.OrNone();

template <typename Visitor>
void Describe(Visitor& keys, ModelSpec& model) {
  keys.Field(Key{"base", "A Hugging Face directory (with `config.json`) or a `.gguf` file"}
                 .Required("Give the directory of a Hugging Face model, or a .gguf file")
                 .Shared(),
             model.base, PathRule{});
  keys.Field(
      Key{"fallback", "The model that is tried if the gate after `replicate` fails"}.OrNone(),
      model.fallback, PathRule{});
}

template <typename Visitor>
void Describe(Visitor& keys, SplitSpec& split) {
  keys.Field(Key{"train", "Share of the documents that is trained"}.Shared(), split.train,
             kFraction);
  keys.Field(Key{"validation", "Share that validations look at"}.Shared(), split.validation,
             kFraction);
  keys.Field(Key{"test", "Share that only `evaluate` looks at"}.Shared(), split.test, kFraction);
  keys.Field(Key{"by", "What stays together"}.Shared(), split.by, Words{{"document"}});
  keys.Field(Key{"seed", "Drives the division; a run's seed never does"}.Shared(), split.seed,
             kSeed);
}

template <typename Visitor>
void Describe(Visitor& keys, DataSpec& data) {
  keys.Field(
      Key{"corpus", "A [corpus](corpus.md): directory with `documents/` and `items/`, JSON lines"}
          .Required("Give the directory that holds documents/ and items/")
          .Shared(),
      data.corpus, PathRule{});
  keys.Section(Key{"split", "How items are divided"}, data.split);
  keys.Field(Key{"max_length", "Longer examples are cut"}.Unit("tokens").Shared(), data.max_length,
             IntegerRule{.low = 8, .high = 1 << 20, .once_low = 2});
  keys.Field(Key{"packing", "Whether several examples share one sequence"}.Shared(), data.packing);
  keys.Field(Key{"special_tokens",
                 "What the text of a special token (`<|im_start|>`) in prompts, choices and "
                 "documents is: plain characters, or the token"}
                 .Shared(),
             data.special_tokens, Words{{"text", "parse"}});
  keys.Field(Key{"end_token",
                 "Whether the tokenizer's end token is trained behind every answer (and document), "
                 "so that the model stops there"}
                 .OnceMeant(false)
                 .Shared(),
             data.end_token);
}

template <typename Visitor>
void Describe(Visitor& keys, LoraSpec& lora) {
  keys.Field(Key{"r", "Rank of the adapters"}.Swept(), lora.r, kRank);
  keys.Field(Key{"alpha", "Scale: adapters are multiplied by alpha / r"}.Swept(), lora.alpha,
             kPositive);
  keys.Field(Key{"use_rslora", "Whether adapters are multiplied by alpha / √r instead (rsLoRA)"},
             lora.use_rslora);
  keys.Field(
      Key{"rank_pattern", "Ranks of single modules, by [peft's rules](models.md#single-modules)"}
          .Unit("ranks"),
      lora.rank_pattern, kRank);
  keys.Field(Key{"alpha_pattern", "Their alphas, likewise"}.Unit("numbers"), lora.alpha_pattern,
             kPositive);
  keys.Field(Key{"dropout", "Share of adapter inputs dropped in training"}.Swept(), lora.dropout,
             kBelowOne);
  keys.Field(Key{"target_modules",
                 "The matrices that get adapters; `all-linear` is every one of them, as in peft"}
                 .Swept(),
             lora.target_modules,
             Words{{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
                   {},
                   "all-linear"});
  keys.Field(Key{"quantize_base",
                 "How the matrices of the frozen base's layers are held: as they are, in 4 bits by "
                 "blocks of 64 (QLoRA), or in 8 bits by rows"}
                 .Shared(),
             lora.quantize_base, Words{{"none", "nf4", "int8"}});
  keys.Field(Key{"double_quant",
                 "Whether `nf4` holds its scales in 8 bits too: 4.13 bits a parameter for 4.5, but "
                 "blocks much weaker than others may change their sign, which is counted and "
                 "warned of"}
                 .Shared(),
             lora.double_quant);
  keys.Field(Key{"init",
                 "A directory with an adapter in peft's format, from which every run starts "
                 "([more](models.md#starting-from-an-adapter))"}
                 .OrNone(),
             lora.init, PathRule{});
}

template <typename Visitor>
void Describe(Visitor& keys, EarlyStoppingSpec& stopping) {
  keys.Field(Key{"patience", "Validations without improvement"}, stopping.patience, kCount);
  keys.Field(Key{"min_delta", "What counts as improvement"}.Unit("loss"), stopping.min_delta,
             kNotNegative);
}

template <typename Visitor>
void Describe(Visitor& keys, TrainingSpec& training) {
  constexpr IntegerRule kBatch = {1, 1 << 20};
  keys.Field(Key{"learning_rate", "Highest learning rate"}.Swept(), training.learning_rate,
             kPositive);
  keys.Field(
      Key{"schedule", "Course of the learning rate after the warm-up, always over `max_steps`"}
          .Swept(),
      training.schedule, Words{{"linear", "cosine", "constant"}});
  keys.Field(Key{"batch_size", "Sequences in a micro-batch"}.Swept(), training.batch_size, kBatch);
  keys.Field(Key{"gradient_accumulation", "Micro-batches in a step"}.Swept(),
             training.gradient_accumulation, kBatch);
  keys.Field(Key{"max_steps", "Steps of a full run"}.DefaultsTo("2000, or what `epochs` come to"),
             training.max_steps, kCount);
  keys.Field(
      Key{"epochs",
          "Passes over the training examples in a full run, instead of `max_steps`: `scmctl` "
          "[counts the steps](#epochs)"}
          .OrNone(),
      training.epochs, kPositive);
  keys.Field(Key{"warmup_steps", "Steps over which the learning rate rises"}
                 .DefaultsToAtMost("max_steps", training.max_steps)
                 .Swept(),
             training.warmup_steps, kCountOrZero);
  keys.Field(Key{"save_steps",
                 "Steps between checkpoints; each is validated, and the last step always has one"},
             training.save_steps, kCount);
  keys.Field(Key{"eval_steps", "Steps between validations"}, training.eval_steps, kCount);
  keys.Field(Key{"loss_on", "Which tokens count in the loss"}.Shared(), training.loss_on,
             Words{{"answer", "all"}});
  keys.Field(Key{"weight_decay", "AdamW's"}.Swept(), training.weight_decay, kNotNegative);
  keys.Field(Key{"max_grad_norm", "Gradients are clipped to this norm"}.Swept(),
             training.max_grad_norm, kPositive);
  keys.Section(Key{"early_stopping", "Ends a run that no longer improves"}.OrNone(),
               training.early_stopping);
  keys.Field(Key{"precision", "Of the arithmetic"}.Swept().Shared(), training.precision,
             Words{{"bf16", "fp32", "tf32"}, {"fp16"}});
  keys.Field(Key{"recompute",
                 "Keeps the input of each layer alone and computes the rest again in the backward "
                 "pass: the same adapter, less memory, longer"},
             training.recompute);
}

template <typename Visitor>
void Describe(Visitor& keys, TrainerSpec& trainer) {
  keys.Field(Key{"command", "Any program that speaks the [trainer protocol](trainer-protocol.md)"},
             trainer.command, CommandRule{});
  keys.Field(kTrainerParameters, trainer.parameters, AnySection{});
}

// trainer.parameters of the built-in trainer.
template <typename Visitor>
void Describe(Visitor& keys, TrainerParameters& parameters) {
  keys.Field(
      Key{"max_validation_items", "A larger validation split is sampled down to this many items"}
          .Shared(),
      parameters.max_validation_items, kCount);
  keys.Field(
      Key{"score_tokens", "Tokens of one batch when choices are scored; memory against speed"}
          .Shared(),
      parameters.score_tokens, kCount);
  keys.Field(Key{"train_tasks", "Only items of these tasks are trained and validated; `[]`: of all"}
                 .Shared(),
             parameters.train_tasks, NamesRule{"a list of tasks like [legal_reasoning]", true});
}

template <typename Visitor>
void Describe(Visitor& keys, CheckSpec& check, const TrainingSpec& training) {
  keys.Field(Key{"steps", "Length of the trial run of the stage `check`"}.DefaultsToAtMost(
                 "max_steps", training.max_steps),
             check.steps, kCount);
}

// Whether runs of a stage share a process. nullopt: `auto`, which scmctl decides at submission,
// because it takes a look at the model.
template <typename Visitor>
void DescribePacked(Visitor& keys, const char* meaning, std::optional<bool>& packed) {
  keys.Field(Key{"packed", meaning}, packed, AutoRule{});
}

template <typename Visitor>
void Describe(Visitor& keys, SweepSpec& sweep, const TrainerSpec& trainer) {
  keys.Field(Key{"search", "How trials are chosen and stopped"}, sweep.search,
             Words{{"asha", "random", "grid"}, {"hyperband", "tpe", "bohb", "pbt", "bayesian"}});
  const Key metric{"metric", "What trials are compared by"};
  if (trainer.built_in()) {
    keys.Field(metric, sweep.metric, Words{{kValidationLoss, kValidationAccuracy}});
  } else {
    keys.Field(metric, sweep.metric, kMetricName);
  }
  keys.Field(
      Key{"mode", "Which end is better"}.DefaultsTo("`max` for `validation_accuracy`, else `min`"),
      sweep.mode, Words{{"min", "max"}});
  keys.Field(Key{"max_trials", "Trials at most"}, sweep.max_trials, IntegerRule{1, 10000});
  keys.Field(
      Key{"rungs", "Steps at which asha compares"}.Unit("steps").DefaultsTo("required for asha"),
      sweep.rungs, IntegersRule{kCount});
  keys.Field(Key{"eta", "One in `eta` goes on from a rung"}, sweep.eta, IntegerRule{2, 1000});
  keys.Field(Key{"seed", "Drives sampling, and trains every trial"}.DefaultsTo(
                 "the smallest positive one that is no replicate seed"),
             sweep.seed, kSeed);
  keys.Field(Key{"space", "Parameter to range"}.Required(
                 "Say what to vary, as in space: {training.learning_rate: {log_uniform: [5.0e-5, "
                 "1.0e-3]}}"),
             sweep.space, SpaceRule{trainer});
  DescribePacked(keys,
                 "Trials that can share a process train in one, as one task. `auto`: as many as "
                 "take little more memory than one",
                 sweep.packed);
  keys.Field(Key{"pack_size", "Trials in one process at most, where they are packed"},
             sweep.pack_size, IntegerRule{2, 256});
}

template <typename Visitor>
void Describe(Visitor& keys, ReplicateSpec& replicate) {
  keys.Field(Key{"seeds", "One full run each, with the winner's parameters"}, replicate.seeds,
             IntegersRule{kSeed, 1000});
  DescribePacked(keys,
                 "All seeds in one process, as one task. `auto`: where that takes little more "
                 "memory than one",
                 replicate.packed);
}

template <typename Visitor>
void Describe(Visitor& keys, NoConvergenceSpec& rule) {
  keys.Field(Key{"after_step", "First step at which it may"}, rule.after_step, kCount);
  keys.Field(Key{"min_loss_reduction", "Of the untouched base's loss"}.Unit("share"),
             rule.min_loss_reduction, kOpenFraction);
}

template <typename Visitor>
void Describe(Visitor& keys, BelowRandomSpec& rule) {
  keys.Field(Key{"after_step", "First step at which it may"}, rule.after_step, kCount);
  keys.Field(Key{"false_abort", "Allowed rate of wrong stops a run"}.Unit("probability"),
             rule.false_abort, kOpenFraction);
}

template <typename Visitor>
void Describe(Visitor& keys, StalledSpec& rule) {
  keys.Field(Key{"minutes", "For how long"}.Unit("minutes"), rule.minutes, kPositive);
}

template <typename Visitor>
void Describe(Visitor& keys, AbortSpec& abort) {
  keys.Section(Key{"no_convergence", "Stops a run whose validation loss does not fall"}.OrNone(),
               abort.no_convergence);
  keys.Section(Key{"below_random", "Stops a run that is worse than guessing"}.OrNone(),
               abort.below_random);
  keys.Field(Key{"non_finite", "Stops a run whose loss or gradient is no finite number"}.OrNone(),
             abort.non_finite);
  keys.Section(Key{"stalled", "Stops an attempt whose trainer writes no reports"}.OrNone(),
               abort.stalled);
}

template <typename Visitor>
void Describe(Visitor& keys, BudgetSpec& budget) {
  keys.Field(Key{"limit", "What may be spent"}.Unit("money").Required(
                 "A budget needs the amount that may be spent"),
             budget.limit, kPositive);
  keys.Field(Key{"currency", "Of all amounts"}, budget.currency, kCurrency);
  keys.Field(
      Key{"gpu_hour", "Price of a GPU hour by [name](#names-of-gpus), and `default` for others"}
          .Unit("money")
          .OrNone(),
      budget.gpu_hour, kNotNegative);
  keys.Field(Key{"cpu_hour", "Price of one CPU for an hour"}.Unit("money").OrNone(),
             budget.cpu_hour, kNotNegative);
}

template <typename Visitor>
void Describe(Visitor& keys, TimelineSpec& timeline) {
  std::string date = absl::FormatCivilTime(timeline.finish_by);
  keys.Field(Key{"finish_by", "When it should be finished"}.Required(
                 "A timeline needs the date of its end, like 2026-12-31"),
             date, kDate);
  absl::ParseCivilTime(date, &timeline.finish_by);
  keys.Field(Key{"max_slip_days",
                 "How much later the projected end may be before the experiment is stopped"}
                 .Unit("days"),
             timeline.max_slip_days, kNotNegative);
}

template <typename Visitor>
void Describe(Visitor& keys, RetriesSpec& retries) {
  keys.Field(Key{"max", "New attempts after failures of the infrastructure"}, retries.max,
             IntegerRule{0, 1000});
}

template <typename Visitor>
void Describe(Visitor& keys, ResourcesSpec& resources) {
  keys.Field(Key{"gpus", "GPUs, or a [share of one](#shares-of-a-gpu)"}, resources.gpus, kGpus);
  keys.Field(Key{"cpus", "CPU slots"}, resources.cpus, IntegerRule{1, 65536});
  keys.Field(Key{"priority", "Higher goes first"}, resources.priority, IntegerRule{0, 100});
  keys.Field(Key{"ranks", "Processes that train one run together, each with so many GPUs and CPUs"},
             resources.ranks, IntegerRule{1, 1024});
  keys.Field(Key{"gpu_memory_gib",
                 "Memory that each of the GPUs has at least; with a share, memory that the task "
                 "takes of its GPU"}
                 .Unit("GiB"),
             resources.gpu_memory_gib, kNotNegative);
  keys.Field(Key{"elastic",
                 "Whether another number of ranks may go on from a checkpoint: the sums of the "
                 "gradients are rounded otherwise then, so that the run is not exactly the same"},
             resources.elastic);
}

template <typename Visitor>
void Describe(Visitor& keys, BaselineSpec& baseline) {
  keys.Field(Key{"name", "In tables"}.Required("Every baseline needs a name of its own"),
             baseline.name, kBaselineName);
  keys.Field(Key{"model", "A model that is scored like the trained ones"}.OrNone(), baseline.model,
             PathRule{});
  keys.Field(Key{"predictions",
                 "[JSON lines](corpus.md#predictions-of-another-system) of another system's "
                 "answers"}
                 .OrNone(),
             baseline.predictions, PathRule{});
}

template <typename Visitor>
void Describe(Visitor& keys, PrimarySpec& primary) {
  constexpr char kBoth[] = "The primary comparison names one task and one baseline";
  keys.Field(Key{"task", "One of `tasks`"}.Required(kBoth), primary.task, kAnyText);
  keys.Field(Key{"baseline", "One of `baselines`, by name"}.Required(kBoth), primary.baseline,
             kAnyText);
}

template <typename Visitor>
void Describe(Visitor& keys, GatesSpec& gates) {
  keys.Field(Key{"loss_reduction", "Lower 95 % bound of the reduction of the base's loss"}
                 .Unit("share")
                 .OrNone(),
             gates.loss_reduction, kOpenFraction);
  keys.Field(Key{"accuracy", "Lower 95 % bound, on the primary task"}.Unit("share").OrNone(),
             gates.accuracy, kOpenFraction);
  keys.Field(Key{"p_value", "Of the primary comparison"}.Unit("probability").OrNone(),
             gates.p_value, kOpenFraction);
  keys.Field(Key{"latency_ms_p95", "95th percentile for one item"}.Unit("milliseconds").OrNone(),
             gates.latency_ms_p95, kPositive);
}

template <typename Visitor>
void Describe(Visitor& keys, EvaluationSpec& evaluation) {
  keys.Field(Key{"tasks", "The items' tasks that are scored"}.Required(
                 "List the tasks of the items to score"),
             evaluation.tasks, NamesRule{"a list like [legal_reasoning]", false});
  keys.Sections(Key{"baselines", "What the trained models are compared with"}.OrNone(),
                evaluation.baselines);
  keys.Section(Key{"primary", "The one comparison that is named beforehand"}.OrNone(),
               evaluation.primary);
  keys.Section(
      Key{"gates", "What must hold for a *go*; a gate that is left out is not asked"}.OrNone(),
      evaluation.gates);
}

template <typename Visitor>
void Describe(Visitor& keys, ExportSpec& spec) {
  keys.Field(Key{"formats", "`peft`: the adapter; `merged`: the model with it"}, spec.formats,
             Words{{"peft", "merged"}, {"gguf", "quantize"}});
  keys.Planned("quantize");
}

// The file. spec.trainer says whose rules hold, so a reader has to know it beforehand.
template <typename Visitor>
void Describe(Visitor& keys, ExperimentSpec& spec) {
  keys.Field(Key{"name", "What the experiment is called in listings and file names"}.Required(
                 "Give the experiment a name"),
             spec.name, kExperimentName);
  std::vector<std::string> stages = StageNames(spec.stages);
  keys.Field(Key{"stages", "What is done, in this order"}.DefaultsTo("all that the sections allow"),
             stages, Words{StageNames({std::begin(kAllStages), std::end(kAllStages)})});
  spec.stages = StagesFromNames(stages);
  if (spec.trainer.built_in()) {
    keys.Section(kModel, spec.model);
    keys.Section(kData, spec.data);
    keys.Section(kLora, spec.lora);
  } else {
    keys.Field(Key{"model"}.OrNone(), spec.opaque_model, Anything{});
    keys.Field(Key{"data"}.OrNone(), spec.opaque_data, Anything{});
    keys.Field(Key{"lora"}.OrNone(), spec.opaque_lora, Anything{});
  }
  keys.Section(kTraining, spec.training);
  keys.Section(Key{"trainer"}, spec.trainer);
  keys.Section(Key{"check"}, spec.check, spec.training);
  keys.Section(Key{"sweep"}.OrNone(), spec.sweep, spec.trainer);
  keys.Section(Key{"replicate"}.OrNone(), spec.replicate);
  keys.Section(Key{"abort"}, spec.abort);
  keys.Section(Key{"budget"}.OrNone(), spec.budget);
  keys.Section(Key{"timeline"}.OrNone(), spec.timeline);
  keys.Section(Key{"retries"}, spec.retries);
  keys.Section(Key{"resources"}, spec.resources);
  keys.Section(kEvaluation, spec.evaluation);
  keys.Section(kExport, spec.export_);
  keys.Field(Key{"digests", "SHA-256 of the inputs, found at submission"}
                 .DefaultsTo("written by `scmctl`")
                 .OrNone(),
             spec.digests, RecordedRule{});
}

}  // namespace scm::experiment_file
