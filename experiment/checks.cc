#include "experiment/checks.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "experiment/words.h"

namespace scm::experiment_file {
namespace {

// STATISTICS.md §5: below the first the rule is undecided, below the second it cannot see
// divergence.
constexpr int64_t kFewestValidations = 5;
constexpr int64_t kValidationsForDivergence = 8;

bool HasModel(const ExperimentSpec& spec) { return spec.model || !spec.opaque_model.is_null(); }

bool Has(const std::vector<int64_t>& values, int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

void CheckTraining(const ExperimentSpec& spec, Findings& findings) {
  const TrainingSpec& training = spec.training;
  if (findings.Failed("training.max_steps")) return;
  if (training.warmup_steps > training.max_steps && !findings.Failed("training.warmup_steps")) {
    findings.ErrorAt(
        "training.warmup_steps",
        absl::StrCat(training.warmup_steps, " is more than max_steps (", training.max_steps,
                     "). Use at most that, usually a tenth of it"));
  } else if (training.warmup_steps == training.max_steps && spec.trainer.built_in()) {
    findings.WarningAt("training.warmup_steps",
                       absl::StrCat(training.warmup_steps,
                                    " is all of max_steps: the learning rate "
                                    "rises until the last step"));
  }
  if (training.eval_steps > training.max_steps && !findings.Failed("training.eval_steps")) {
    findings.WarningAt("training.eval_steps",
                       absl::StrCat(training.eval_steps, " is more than max_steps (",
                                    training.max_steps, "): nothing is validated on the way"));
  }
  if (spec.check.steps > training.max_steps && !findings.Failed("check.steps")) {
    findings.ErrorAt("check.steps", absl::StrCat(spec.check.steps, " is more than max_steps (",
                                                 training.max_steps, "). Use fewer"));
  }
}

void CheckPrecision(const ExperimentSpec& spec, Findings& findings) {
  if (spec.training.precision != "tf32" || spec.resources.gpus > 0 || !spec.trainer.built_in() ||
      findings.Failed("training.precision") || findings.Failed("resources.gpus")) {
    return;
  }
  findings.ErrorAt("training.precision",
                   "tf32 is how GPUs multiply fp32, and runs use no GPU (resources.gpus is 0): use "
                   "fp32, or set resources.gpus");
}

void CheckData(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.data || findings.Failed("data.split")) return;
  const SplitSpec& split = spec.data->split;
  const double sum = split.train + split.validation + split.test;
  if (std::fabs(sum - 1) > 1e-6) {
    findings.ErrorAt("data.split", absl::StrCat("train ", split.train, ", validation ",
                                                split.validation, " and test ", split.test,
                                                " sum to ", sum, "; they must sum to 1"));
    return;
  }
  for (auto [name, ratio] :
       {std::pair("train", split.train), std::pair("validation", split.validation),
        std::pair("test", split.test)}) {
    if (ratio > 0) continue;
    findings.WarningAt(
        absl::StrCat("data.split.", name),
        absl::StrCat("is 0: only items that name the split ", name, " themselves will be in it"));
  }
}

void CheckModel(const ExperimentSpec& spec, Findings& findings) {
  if (spec.model && !spec.model->fallback.empty() && spec.model->fallback == spec.model->base) {
    findings.ErrorAt("model.fallback", "is the base model itself. Remove it, or name another");
  }
}

// Trials of a sweep are compared at the same steps.
void CheckSweptEpochs(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.training.epochs || !spec.sweep) return;
  for (const auto& [key, space] : spec.sweep->space) {
    if (key != "training.batch_size" && key != "training.gradient_accumulation" &&
        key != "trainer.parameters.train_tasks") {
      continue;
    }
    findings.ErrorAt(absl::StrCat("sweep.space.", key),
                     "with training.epochs, trials would differ in their number of steps and could "
                     "not be compared. Give training.max_steps instead");
  }
}

// An adapter is one of one base and one shape.
void CheckWarmStart(const ExperimentSpec& spec, Findings& findings) {
  if (spec.lora.init.empty() || findings.Failed("lora.init")) return;
  if (spec.model && !spec.model->fallback.empty()) {
    findings.ErrorAt("model.fallback",
                     "the adapter of lora.init belongs to one base: remove this, or lora.init");
  }
  if (!spec.sweep) return;
  for (const auto& [key, space] : spec.sweep->space) {
    if (key != "lora.r" && key != "lora.alpha" && key != "lora.target_modules") continue;
    findings.ErrorAt(absl::StrCat("sweep.space.", key),
                     "the adapter of lora.init has one already, so it cannot vary");
  }
}

// "Use 100 or 200": the validation steps around `rung`.
std::string NearbySteps(int64_t rung, int64_t eval_steps) {
  const int64_t below = rung / eval_steps * eval_steps;
  return below == 0 ? absl::StrCat("Use ", eval_steps)
                    : absl::StrCat("Use ", below, " or ", below + eval_steps);
}

void CheckRungs(const ExperimentSpec& spec, Findings& findings) {
  const SweepSpec& sweep = *spec.sweep;
  if (sweep.rungs.empty()) {
    if (sweep.search == "asha" && !findings.Failed("sweep.rungs") &&
        !findings.Failed("sweep.search")) {
      findings.ErrorAt("sweep.rungs",
                       "missing. asha compares trials at rungs: give steps like "
                       "[100, 300, 1000]");
    }
    return;
  }
  if (sweep.search != "asha") {
    findings.WarningAt("sweep.rungs", absl::StrCat(sweep.search,
                                                   " does not use rungs; every trial "
                                                   "runs to max_steps"));
  }
  const int64_t eval_steps = spec.training.eval_steps, max_steps = spec.training.max_steps;
  const bool eval_known = !findings.Failed("training.eval_steps");
  const bool max_known = !findings.Failed("training.max_steps");
  for (size_t i = 0; i < sweep.rungs.size(); ++i) {
    const int64_t rung = sweep.rungs[i];
    if (eval_known && rung % eval_steps != 0) {
      findings.ErrorAt("sweep.rungs",
                       absl::StrCat(rung, " is no validation step (eval_steps is ", eval_steps,
                                    "). ", NearbySteps(rung, eval_steps)));
    }
    if (i > 0 && rung < sweep.rungs[i - 1]) {
      findings.ErrorAt("sweep.rungs", absl::StrCat("rungs must ascend, but ", rung, " follows ",
                                                   sweep.rungs[i - 1]));
    }
    if (max_known && rung > max_steps) {
      findings.ErrorAt("sweep.rungs",
                       absl::StrCat(rung, " is beyond training.max_steps (", max_steps, ")"));
    }
  }
}

// Points of a grid at least: what its choices multiply to. Ranges are gridded to fit.
double GridPoints(const SweepSpec& sweep) {
  double points = 1;
  for (const auto& [key, space] : sweep.space) {
    const auto* choice = std::get_if<Choice>(&space);
    if (choice != nullptr) points *= static_cast<double>(choice->values.size());
  }
  return points;
}

// The largest value that the sweep may give an integer parameter; 0 if it is not in the space.
int64_t LargestSwept(const SweepSpec& sweep, const std::string& parameter) {
  int64_t largest = 0;
  for (const auto& [key, space] : sweep.space) {
    if (key != parameter) continue;
    if (const auto* range = std::get_if<IntUniform>(&space)) largest = range->high;
    if (const auto* choice = std::get_if<Choice>(&space)) {
      for (const Json& value : choice->values) {
        if (value.is_number()) largest = std::max(largest, value.get<int64_t>());
      }
    }
  }
  return largest;
}

void CheckMetric(const SweepSpec& sweep, Findings& findings) {
  const bool known = IsValidationMetric(sweep.metric);
  if (!known && !findings.Has("sweep.mode")) {
    findings.WarningAt("sweep.metric",
                       absl::StrCat("the trial with the lowest ", sweep.metric,
                                    " wins; write mode: min to say so, or mode: max if higher is "
                                    "better"));
  }
  const std::string better = BetterEnd(sweep.metric);
  if (known && sweep.mode != better && !findings.Failed("sweep.mode") &&
      !findings.Failed("sweep.metric")) {
    findings.ErrorAt("sweep.mode", absl::StrCat(sweep.mode, " would pick the worst trial: ",
                                                sweep.metric, " needs mode ", better));
  }
}

void CheckSweep(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.sweep) return;
  const SweepSpec& sweep = *spec.sweep;
  CheckMetric(sweep, findings);
  CheckRungs(spec, findings);
  if (Has(spec.replicate.seeds, sweep.seed) && !findings.Failed("sweep.seed")) {
    findings.ErrorAt(
        "sweep.seed",
        absl::StrCat(sweep.seed, " is one of replicate.seeds, which must be fresh. Use ",
                     DefaultSweepSeed(spec.replicate)));
  }
  if (sweep.search == "asha" && sweep.max_trials < sweep.eta) {
    findings.WarningAt("sweep.max_trials",
                       absl::StrCat("with fewer trials than eta (", sweep.eta,
                                    ") only the best one goes on from each rung"));
  }
  const double points = GridPoints(sweep);
  if (sweep.search == "grid" && points > static_cast<double>(sweep.max_trials)) {
    findings.WarningAt("sweep.max_trials",
                       absl::StrCat("the grid has ", points, " points; the first ",
                                    sweep.max_trials, " of them are tried"));
  }
  const int64_t warmup = LargestSwept(sweep, "training.warmup_steps");
  if (warmup > spec.training.max_steps && !findings.Failed("training.max_steps")) {
    findings.ErrorAt(
        "sweep.space.training.warmup_steps",
        absl::StrCat(warmup, " is more than training.max_steps (", spec.training.max_steps, ")"));
  }
}

void CheckStageNeeds(const ExperimentSpec& spec, Findings& findings) {
  // Whether `stage` was asked for and `section` is missing rather than wrong.
  const auto lacks = [&](StageKind stage, const char* section, bool present) {
    return spec.HasStage(stage) && !present && !findings.Failed(section);
  };
  if (lacks(StageKind::kSweep, "sweep", spec.sweep.has_value())) {
    findings.ErrorAt("stages",
                     "the stage sweep needs a section sweep. Add it, or remove the stage");
  }
  if (lacks(StageKind::kReplicate, "replicate", !spec.replicate.seeds.empty())) {
    findings.ErrorAt("stages", "the stage replicate needs replicate: {seeds: [11, 12, …]}");
  }
  if (lacks(StageKind::kEvaluate, "evaluation", spec.evaluation.has_value())) {
    findings.ErrorAt("stages",
                     "the stage evaluate needs a section evaluation. Add it, or remove the stage");
  }
  if (lacks(StageKind::kEvaluate, "model", HasModel(spec))) {
    findings.ErrorAt("stages", "the stage evaluate needs a model. Add it, or remove the stage");
  }
  if (lacks(StageKind::kExport, "export", spec.export_.has_value())) {
    findings.ErrorAt("stages",
                     "the stage export needs a section export. Add it, or remove the stage");
  }
  for (StageKind stage : {StageKind::kEvaluate, StageKind::kExport}) {
    if (!spec.HasStage(stage) || spec.HasStage(StageKind::kReplicate)) continue;
    if (findings.Failed("replicate")) continue;
    findings.ErrorAt("stages", absl::StrCat("the stage ", StageName(stage),
                                            " works on what the stage "
                                            "replicate trained. Add replicate, or remove it"));
  }
}

// False if they are not in order (reported).
bool CheckOrder(const ExperimentSpec& spec, Findings& findings) {
  std::vector<StageKind> sorted = spec.stages;
  std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (spec.stages[i] > spec.stages[i - 1]) continue;
    findings.ErrorAt("stages", absl::StrCat(StageName(spec.stages[i]), " comes before ",
                                            StageName(spec.stages[i - 1]), ". The order is [",
                                            absl::StrJoin(StageNames(sorted), ", "), "]"));
    return false;
  }
  return true;
}

void CheckStages(const ExperimentSpec& spec, Findings& findings) {
  if (findings.Failed("stages") || !CheckOrder(spec, findings)) return;
  CheckStageNeeds(spec, findings);
  const bool explicit_stages = findings.Has("stages");
  const bool trains = spec.HasStage(StageKind::kSweep) || spec.HasStage(StageKind::kReplicate);
  if (!trains && !(explicit_stages && spec.HasStage(StageKind::kCheck)) &&
      !findings.Failed("sweep") && !findings.Failed("replicate")) {
    findings.ErrorAt(explicit_stages ? "stages" : "replicate",
                     "nothing would be trained. Give replicate: {seeds: [11, 12, 13, 14, 15]}, a "
                     "sweep, or both");
  }
  const auto unused = [&](StageKind stage, const char* section, bool present) {
    if (!present || spec.HasStage(stage)) return;
    findings.WarningAt(
        section, absl::StrCat("is not used: the stage ", StageName(stage), " is not among stages"));
  };
  unused(StageKind::kSweep, "sweep", spec.sweep.has_value());
  unused(StageKind::kReplicate, "replicate", !spec.replicate.seeds.empty());
  unused(StageKind::kEvaluate, "evaluation", spec.evaluation.has_value());
  unused(StageKind::kExport, "export", spec.export_.has_value());
}

void CheckNoConvergence(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.abort.no_convergence || findings.Failed("abort.no_convergence")) return;
  const int64_t after = spec.abort.no_convergence->after_step;
  const std::string key = "abort.no_convergence.after_step";
  if (!spec.lora.init.empty()) {
    findings.WarningAt(
        "lora.init",
        "the rule no_convergence compares with step 0, which is the loss of this "
        "adapter and not that of the base: set abort.no_convergence.min_loss_reduction "
        "to what the run shall add, or abort.no_convergence: none");
  }
  if (after >= spec.training.max_steps) {
    findings.WarningAt(key, absl::StrCat(after, " is not before max_steps (",
                                         spec.training.max_steps, "): the rule never looks"));
    return;
  }
  const int64_t validations = after / spec.training.eval_steps;
  const std::string count =
      absl::StrCat(validations, validations == 1 ? " validation" : " validations", " up to step ",
                   after, " (eval_steps is ", spec.training.eval_steps, "): ");
  if (validations < kFewestValidations) {
    findings.WarningAt(
        key, absl::StrCat(count, "the rule is undecided until there are ", kFewestValidations,
                          ", and sees divergence from ", kValidationsForDivergence, " on"));
  } else if (validations < kValidationsForDivergence) {
    findings.WarningAt(key, absl::StrCat(count, "the rule sees divergence only from ",
                                         kValidationsForDivergence, " on"));
  }
}

void CheckAbort(const ExperimentSpec& spec, Findings& findings) {
  if (findings.Failed("training.max_steps") || findings.Failed("training.eval_steps")) return;
  CheckNoConvergence(spec, findings);
  if (!spec.abort.below_random || findings.Failed("abort.below_random")) return;
  const int64_t after = spec.abort.below_random->after_step;
  if (after > spec.training.max_steps) {
    findings.WarningAt("abort.below_random.after_step",
                       absl::StrCat(after, " is beyond max_steps (", spec.training.max_steps,
                                    "): the rule never looks"));
  }
}

void CheckBudget(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.budget || findings.Failed("resources.gpus")) return;
  const BudgetSpec& budget = *spec.budget;
  if (spec.resources.gpus > 0) {
    if (findings.Failed("budget.gpu_hour")) return;
    if (budget.gpu_hour.empty()) {
      findings.ErrorAt(
          "budget.gpu_hour",
          "missing. Runs use GPUs (resources.gpus), and an hour of unknown price cannot "
          "be budgeted. Give gpu_hour: {default: PRICE}");
    } else if (budget.gpu_hour.count("default") == 0) {
      findings.WarningAt("budget.gpu_hour",
                         "has no default: time on a GPU that is not listed has no "
                         "known price");
    }
  } else if (!budget.cpu_hour && !findings.Failed("budget.cpu_hour")) {
    findings.ErrorAt(
        "budget.cpu_hour",
        "missing. Runs use no GPU (resources.gpus is 0), so this is what they cost: the "
        "price of one CPU for an hour");
  }
}

// An error at every key about packing that has this value.
void RefusePacked(const ExperimentSpec& spec, std::optional<bool> value, const char* why,
                  Findings& findings) {
  if (spec.replicate.packed == value) findings.ErrorAt("replicate.packed", why);
  if (spec.sweep && spec.sweep->packed == value) findings.ErrorAt("sweep.packed", why);
}

// What a trainer of one's own cannot leave to scm.
void CheckPacked(const ExperimentSpec& spec, Findings& findings) {
  if (spec.trainer.built_in() || findings.Failed("trainer")) return;
  RefusePacked(spec, /*auto*/ std::nullopt,
               "auto needs the built-in trainer, whose memory scm can estimate: say true where "
               "your trainer trains all \"runs\" of its SCM_SPEC, else false",
               findings);
}

// What the built-in trainer makes of several ranks.
void CheckRanks(const ExperimentSpec& spec, Findings& findings) {
  RefusePacked(spec, true,
               "what is packed trains in one process, and resources.ranks asks for several that "
               "train one run: choose one of the two",
               findings);
}

void CheckResources(const ExperimentSpec& spec, Findings& findings) {
  if (spec.resources.ranks > 1 && spec.trainer.built_in()) CheckRanks(spec, findings);
  if (spec.resources.gpus > 1 && spec.trainer.built_in()) {
    findings.WarningAt("resources.gpus", absl::StrCat("the built-in trainer uses one GPU; ",
                                                      spec.resources.gpus - 1, " would be idle"));
  }
}

void CheckPrimary(const EvaluationSpec& evaluation, Findings& findings) {
  const auto named = [&](const std::string& key, const std::string& name, const char* list,
                         const std::vector<std::string>& known) {
    if (findings.Failed(list) || findings.Failed(key)) return;
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const std::string shown = absl::StrCat("\"", name, "\" is not in ", list, ". ");
    const std::string nearest = Nearest(name, known);
    findings.ErrorAt(key, absl::StrCat(shown, !nearest.empty() ? "Did you mean " + nearest + "?"
                                              : known.empty()  ? "There are none"
                                                               : "Use " + ListOf(known)));
  };
  std::vector<std::string> baselines;
  for (const BaselineSpec& baseline : evaluation.baselines) baselines.push_back(baseline.name);
  named("evaluation.primary.task", evaluation.primary->task, "evaluation.tasks", evaluation.tasks);
  named("evaluation.primary.baseline", evaluation.primary->baseline, "evaluation.baselines",
        baselines);
}

void CheckBaselines(const EvaluationSpec& evaluation, Findings& findings) {
  std::set<std::string> names;
  for (size_t i = 0; i < evaluation.baselines.size(); ++i) {
    const BaselineSpec& baseline = evaluation.baselines[i];
    const std::string key = absl::StrCat("evaluation.baselines[", i, "]");
    if (!baseline.name.empty() && !names.insert(baseline.name).second) {
      findings.ErrorAt(absl::StrCat(key, ".name"),
                       absl::StrCat("another baseline is called ", baseline.name, " already"));
    }
    const bool has_model = !baseline.model.empty();
    if (has_model == baseline.predictions.empty() || findings.Failed(key)) continue;
    findings.ErrorAt(key, has_model ? "has a model and predictions; it can have only one"
                                    : "needs model: PATH or predictions: FILE.jsonl");
  }
}

void CheckEvaluation(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.evaluation) return;
  const EvaluationSpec& evaluation = *spec.evaluation;
  if (evaluation.primary) CheckPrimary(evaluation, findings);
  if (!evaluation.primary && !findings.Failed("evaluation.primary")) {
    if (evaluation.gates.p_value) {
      findings.ErrorAt(
          "evaluation.gates.p_value",
          "needs evaluation.primary: {task: …, baseline: …}, the one comparison that is "
          "named beforehand");
    }
    if (evaluation.gates.accuracy && evaluation.tasks.size() > 1) {
      findings.WarningAt(
          "evaluation.gates.accuracy",
          "without evaluation.primary it is not said which task's accuracy is meant");
    }
  }
  CheckBaselines(evaluation, findings);
  for (size_t i = 0; i < evaluation.baselines.size(); ++i) {
    const BaselineSpec& baseline = evaluation.baselines[i];
    if (baseline.name != "base" || (spec.model && baseline.model == spec.model->base)) continue;
    findings.ErrorAt(absl::StrCat("evaluation.baselines[", i, "].name"),
                     "base is the name of model.base; call this one something else");
  }
}

}  // namespace

std::vector<StageKind> DefaultStages(const ExperimentSpec& spec) {
  const bool model = HasModel(spec), seeds = !spec.replicate.seeds.empty();
  std::vector<StageKind> stages;
  const auto add_if = [&stages](bool allowed, StageKind stage) {
    if (allowed) stages.push_back(stage);
  };
  add_if(model, StageKind::kCheck);
  add_if(spec.sweep.has_value(), StageKind::kSweep);
  add_if(seeds, StageKind::kReplicate);
  add_if(model && seeds && spec.evaluation, StageKind::kEvaluate);
  add_if(model && seeds && spec.export_, StageKind::kExport);
  stages.push_back(StageKind::kReport);
  return stages;
}

std::string BetterEnd(const std::string& metric) {
  return metric == kValidationAccuracy ? "max" : "min";
}

int64_t DefaultSweepSeed(const ReplicateSpec& replicate) {
  int64_t seed = 1;
  while (Has(replicate.seeds, seed)) ++seed;
  return seed;
}

void CheckWhole(const ExperimentSpec& spec, Findings& findings) {
  CheckTraining(spec, findings);
  CheckPrecision(spec, findings);
  CheckModel(spec, findings);
  CheckWarmStart(spec, findings);
  CheckSweptEpochs(spec, findings);
  CheckData(spec, findings);
  CheckSweep(spec, findings);
  CheckStages(spec, findings);
  CheckAbort(spec, findings);
  CheckBudget(spec, findings);
  CheckPacked(spec, findings);
  CheckResources(spec, findings);
  CheckEvaluation(spec, findings);
}

}  // namespace scm::experiment_file
