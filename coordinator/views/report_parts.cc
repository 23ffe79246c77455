#include "coordinator/views/report_parts.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/text.h"
#include "coordinator/core/search/searcher.h"
#include "coordinator/state/snapshot_index.h"

namespace scm::views {
namespace {

constexpr size_t kWarnings = 100;             // of one report
constexpr int64_t kDataCheckLimit = 1 << 20;  // bytes; a check of thousands of tasks is below it

Json TrialJson(const Json& run, const search::RankedTrial& ranked) {
  const bool valued = ranked.step > 0;
  Json json = {{"trial", MemberAt(run, "trial")},
               {"run", MemberAt(run, "id")},
               {"value", valued ? JsonNumber(ranked.value) : Json(nullptr)},
               {"value_step", valued ? Json(ranked.step) : Json(nullptr)}};
  for (const char* key : {"parameters", "state", "step", "stop_at_step", "reason"}) {
    json[key] = MemberAt(run, key);
  }
  return json;
}

const Task* LastTaskOf(const state::Snapshot& snapshot, const ExperimentId& id, TaskKind kind) {
  const Task* last = nullptr;
  for (const Task* task : state::TasksInOrder(snapshot, id)) {
    if (task->kind == kind) last = task;
  }
  return last;
}

void AddWarning(const std::string& warning, Json& list) {
  if (warning.empty() || list.size() >= kWarnings) return;
  if (std::find(list.begin(), list.end(), warning) == list.end()) list.push_back(warning);
}

}  // namespace

Json SweepPart(const state::Snapshot& snapshot, const Experiment& experiment, const Json& runs) {
  if (!experiment.spec->sweep) return nullptr;
  const SweepSpec& spec = *experiment.spec->sweep;
  std::vector<Json> sweep_runs;
  for (const Json& run : runs) {
    if (StringAt(run, "stage") == "sweep") sweep_runs.push_back(run);
  }
  Json trials = Json::array();
  const auto searcher = search::MakeSearcher(spec, experiment.spec->training.max_steps);
  if (!sweep_runs.empty() && searcher.ok()) {
    for (const search::RankedTrial& ranked : (*searcher)->Ranking(experiment.search)) {
      const auto run = std::find_if(sweep_runs.begin(), sweep_runs.end(), [&](const Json& one) {
        return StringAt(one, "trial") == ranked.trial.str();
      });
      if (run == sweep_runs.end()) continue;
      trials.push_back(TrialJson(*run, ranked));
      sweep_runs.erase(run);
    }
  }
  // Those that still run, and those whose end says nothing about them.
  for (const Json& run : sweep_runs) trials.push_back(TrialJson(run, {}));
  const std::string winner = experiment.winner_trial.str();
  return {{"search", spec.search},
          {"metric", spec.metric},
          {"mode", spec.mode},
          {"winner", winner.empty() ? Json(nullptr) : Json(winner)},
          {"trials", trials}};
}

Json DataCheckPart(const state::Snapshot& snapshot, const ExperimentId& id) {
  const Task* check = LastTaskOf(snapshot, id, TaskKind::kCheck);
  if (check == nullptr) return nullptr;
  const auto found = snapshot.artifacts->find(absl::StrCat(check->id.str(), "/data_check"));
  if (found == snapshot.artifacts->end() || found->second->bytes > kDataCheckLimit) return nullptr;
  for (const Json& file : found->second->files) {
    const auto text = ReadFileAt(absl::StrCat(found->second->path, "/", StringAt(file, "path")), 0,
                                 kDataCheckLimit);
    if (!text.ok()) continue;
    const auto json = ParseJson(*text, "data_check.json");
    if (json.ok() && json->is_object()) return *json;
  }
  return nullptr;
}

Json WarningsPart(const state::Snapshot& snapshot, const Experiment& experiment) {
  Json list = Json::array();
  for (const std::string& warning : experiment.warnings) AddWarning(warning, list);
  const Task* check = LastTaskOf(snapshot, experiment.id, TaskKind::kCheck);
  if (check == nullptr) return list;
  for (const Json& warning : MemberAt(check->summary, "warnings")) {
    if (warning.is_string()) AddWarning(LineOf(warning.get<std::string>()), list);
  }
  return list;
}

Json ExportPart(const state::Snapshot& snapshot, const ExperimentId& id) {
  const Task* task = LastTaskOf(snapshot, id, TaskKind::kExport);
  if (task == nullptr) return nullptr;
  const Json& summary = task->summary;
  return {{"task", task->id.str()},
          {"state", StateName(task->state)},
          {"formats", MemberAt(summary, "formats")},
          {"run", MemberAt(summary, "run")},
          {"seed", MemberAt(summary, "seed")},
          {"step", MemberAt(summary, "step")},
          {"merged_into", MemberAt(summary, "merged_into")}};
}

}  // namespace scm::views
