#include "report/findings.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "report/decision.h"
#include "report/evaluation_view.h"
#include "report/judge_task.h"

namespace scm::report {
namespace {

using statistics::SeedOutcome;

// The replicates that count: those of the candidate model that was tried last.
using ReplicateRuns = std::vector<const Json*>;  // into the data, whose points are many

ReplicateRuns Replicates(const Json& data) {
  ReplicateRuns runs;
  for (const Json& run : MemberAt(data, "runs")) {
    if (StringAt(run, "stage") == "replicate") runs.push_back(&run);
  }
  int64_t last = 0;
  for (const Json* run : runs) last = std::max(last, ModelIndexOf(*run));
  std::erase_if(runs, [&](const Json* run) { return ModelIndexOf(*run) != last; });
  return runs;
}

// A run that a rule aborted counts as aborted whatever it left behind; only a run that came to its
// end counts as trained.
std::vector<Seed> SeedsOf(const ReplicateRuns& replicates, const Evaluation* evaluation) {
  std::vector<Seed> seeds;
  for (const Json* replicate : replicates) {
    const Json& run = *replicate;
    Seed seed;
    seed.name = absl::StrCat("seed ", IntegerAt(run, "seed", 0));
    seed.run = StringAt(run, "id");
    seed.state = StringAt(run, "state");
    seed.reason = StringAt(run, "reason");
    if (seed.state == "ABORTED") {
      seed.outcome = SeedOutcome::kAbortedByRule;
    } else if (seed.state == "SUCCEEDED") {
      const EvaluatedModel* model = evaluation == nullptr ? nullptr : evaluation->OfRun(seed.run);
      if (model != nullptr && !model->missing.empty()) {
        seed.reason =
            absl::StrCat("it was trained, but its evaluation has no result: ", model->missing);
      } else if (model != nullptr) {
        seed.outcome = SeedOutcome::kTrained;
        seed.model = model->name;
      } else if (evaluation != nullptr) {
        seed.reason = "it was trained, but not evaluated";
      }
    }
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

void AddLatency(const Json& evaluation_json, const Evaluation& evaluation, Findings& findings) {
  const Json& latency = MemberAt(evaluation_json, "latency");
  for (auto it = latency.begin(); it != latency.end(); ++it) {
    const Json& list = MemberAt(it.value(), "samples");
    std::vector<double> samples;
    for (const Json& sample : list) {
      const std::optional<double> value = NumberFromJson(sample);
      if (value && std::isfinite(*value) && *value >= 0) samples.push_back(*value);
    }
    Latency one;
    one.model = it.key();
    one.what = StringAt(it.value(), "what");
    one.items = static_cast<int>(IntegerAt(it.value(), "items", 0));
    if (const size_t bad = list.size() - samples.size(); bad > 0) {
      // What is left of a sample is not a sample of what was measured.
      absl::StrAppend(&one.what, one.what.empty() ? "" : "; ", bad, " of ", list.size(),
                      " samples are no durations, so none is used");
      samples.clear();
    }
    one.of_seed = std::any_of(
        evaluation.models.begin(), evaluation.models.end(),
        [&](const EvaluatedModel& m) { return m.name == one.model && m.kind == "seed"; });
    one.p50 = statistics::NearestRankPercentile(samples, 0.5);
    one.p95 = statistics::CertifyPercentile(samples, 0.95);
    findings.latency.push_back(std::move(one));
  }
  findings.memory = MemberAt(evaluation_json, "memory");
  findings.inputs = MemberAt(evaluation_json, "inputs");
}

std::vector<Curve> CurvesOf(const ReplicateRuns& replicates, const std::string& metric) {
  std::vector<Curve> curves;
  for (const Json* replicate : replicates) {
    const Json& run = *replicate;
    const std::string state = StringAt(run, "state");
    Curve curve{absl::StrCat("seed ", IntegerAt(run, "seed", 0)), {}, false};
    curve.cut_short = state == "ABORTED" || state == "FAILED" || state == "CANCELLED";
    if (state == "ABORTED") absl::StrAppend(&curve.label, " (aborted)");
    if (state == "FAILED") absl::StrAppend(&curve.label, " (failed)");
    for (const Json& point : MemberAt(run, "points")) {
      const auto value = NumberFromJson(MemberAt(point, "value"));
      if (StringAt(point, "name") != metric || !value || !std::isfinite(*value)) continue;
      curve.points.emplace_back(static_cast<double>(IntegerAt(point, "step", 0)), *value);
    }
    if (!curve.points.empty()) curves.push_back(std::move(curve));
  }
  return curves;
}

absl::Status AddEvaluation(const Json& json, const ReplicateRuns& replicates, Findings& findings) {
  SCM_ASSIGN_OR_RETURN(const Evaluation evaluation, ReadEvaluation(json));
  findings.evaluated = true;
  findings.demonstration = BoolAt(json, "demonstration", false);
  findings.seeds = SeedsOf(replicates, &evaluation);
  const Json& spec = MemberAt(MemberAt(findings.data, "experiment"), "spec");
  const Json& primary = MemberAt(MemberAt(spec, "evaluation"), "primary");
  for (const EvaluatedTask& task : evaluation.tasks) {
    findings.tasks.push_back(JudgeTask(task, evaluation, findings.seeds,
                                       {StringAt(primary, "task"), StringAt(primary, "baseline")}));
  }
  AdjustByHolm(findings.tasks);
  findings.loss = JudgeLoss(json, evaluation, findings.seeds);
  AddLatency(json, evaluation, findings);
  return absl::OkStatus();
}

}  // namespace

int64_t ModelIndexOf(const Json& run) {
  return IntegerAt(run, "model_index", BoolAt(run, "fallback", false) ? 1 : 0);
}

const TaskResult* Findings::PrimaryTask() const {
  for (const TaskResult& task : tasks) {
    if (task.primary) return &task;
  }
  return tasks.empty() ? nullptr : &tasks.front();
}

const TaskComparison* Findings::PrimaryComparison() const {
  const TaskResult* task = PrimaryTask();
  if (task == nullptr) return nullptr;
  for (const TaskComparison& one : task->comparisons) {
    if (one.primary) return &one;
  }
  return nullptr;
}

int Findings::TrainedSeeds() const {
  return static_cast<int>(std::count_if(seeds.begin(), seeds.end(),
                                        [](const Seed& s) { return s.state == "SUCCEEDED"; }));
}

std::vector<std::string> Findings::AbortedSeeds() const {
  std::vector<std::string> names;
  for (const Seed& seed : seeds) {
    if (seed.outcome == SeedOutcome::kAbortedByRule) names.push_back(seed.name);
  }
  return names;
}

absl::StatusOr<Findings> ComputeFindings(const Json& data, const Json* evaluation_json) {
  if (IntegerAt(data, "version", 0) != 1 || !MemberAt(data, "experiment").is_object()) {
    return absl::InvalidArgumentError(
        "report_data.json: expected version 1 and the key experiment; was it written by another "
        "version of scm?");
  }
  Findings findings;
  findings.data = data;
  const ReplicateRuns replicates = Replicates(data);
  findings.seeds = SeedsOf(replicates, nullptr);
  findings.loss_curves = CurvesOf(replicates, "validation_loss");
  findings.accuracy_curves = CurvesOf(replicates, "validation_accuracy");
  for (const Json* run : replicates) {
    findings.chance_line = NumberAt(*run, "chance", findings.chance_line);
  }
  if (evaluation_json != nullptr) {
    SCM_RETURN_IF_ERROR(AddEvaluation(*evaluation_json, replicates, findings));
  }
  Decide(findings);
  return findings;
}

}  // namespace scm::report
