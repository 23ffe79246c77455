#include "coordinator/views/report_data.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/digest.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/state/accrual.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/report_parts.h"
#include "coordinator/views/views.h"
#include "experiment/parse.h"

namespace scm::views {
namespace {

constexpr int64_t kPage = 10000;

absl::StatusOr<Json> PointsOf(const state::Snapshot& snapshot, const ReportRows& source,
                              const RunId& run) {
  Json points = Json::array();
  for (int64_t after = 0;;) {
    SCM_ASSIGN_OR_RETURN(const std::vector<store::StoredMetric> rows,
                         source.metrics(run.str(), after, kPage));
    if (rows.empty()) break;
    after = rows.back().row;
    for (const store::StoredMetric& row : rows) {
      if (!IsShown(*snapshot.runs->at(run), row)) continue;
      points.push_back({{"attempt", row.metric.attempt},
                        {"step", row.metric.step},
                        {"name", row.metric.name},
                        {"value", JsonNumber(row.metric.value)}});
    }
  }
  std::stable_sort(points.begin(), points.end(), [](const Json& a, const Json& b) {
    return IntegerAt(a, "step", 0) < IntegerAt(b, "step", 0);
  });
  return points;
}

Json BestCheckpoint(const state::Snapshot& snapshot, const Run& run) {
  if (!run.best_step) return nullptr;
  const auto found = snapshot.checkpoints->find(absl::StrCat(run.id.str(), "/", *run.best_step));
  if (found == snapshot.checkpoints->end()) return nullptr;
  return {
      {"id", found->second->id}, {"step", found->second->step}, {"sha256", found->second->sha256}};
}

absl::StatusOr<Json> RunsOf(const state::Snapshot& snapshot, const ReportRows& source,
                            const ExperimentId& id) {
  SCM_ASSIGN_OR_RETURN(const v1::RunsAnswer view, RunsView(snapshot, id.str()));
  Json runs = Json::array();
  for (const v1::Run& message : view.runs()) {
    Json run_json = answers::ToJson(message);
    const Run& run = *snapshot.runs->at(RunId(message.id()));
    run_json["seconds"] = core::RunSeconds(*snapshot.tasks->at(run.task), run.id, snapshot.at);
    SCM_ASSIGN_OR_RETURN(run_json["points"], PointsOf(snapshot, source, run.id));
    run_json["best_checkpoint"] = BestCheckpoint(snapshot, run);
    run_json["fallback"] = run.model_index > 0;
    run_json["model_index"] = run.model_index;
    runs.push_back(std::move(run_json));
  }
  return runs;
}

absl::StatusOr<Json> EventsOf(const ReportRows& source, const ExperimentId& id) {
  Json events = Json::array();
  for (int64_t after = 0;;) {
    SCM_ASSIGN_OR_RETURN(const std::vector<store::EventRow> rows,
                         source.events(id.str(), after, kPage));
    if (rows.empty()) return events;
    after = rows.back().sequence;
    for (const store::EventRow& row : rows) {
      events.push_back(
          {{"at", row.at}, {"subject", row.subject}, {"kind", row.kind}, {"text", row.text}});
    }
  }
}

Json CostOf(const state::Snapshot& snapshot, const Experiment& experiment,
            const Json& certificates) {
  double money = 0, seconds = 0;
  for (const Json& certificate : certificates) {
    const Json& saved = MemberAt(certificate, "saved");
    money += NumberAt(saved, "money", 0);
    seconds += NumberAt(saved, "seconds", 0);
  }
  const auto& budget = experiment.spec->budget;
  return {{"currency", budget ? Json(budget->currency) : Json(nullptr)},
          {"total", budget ? Json(state::AccruedCost(snapshot, experiment.id)) : Json(nullptr)},
          {"budget", budget ? Json(budget->limit) : Json(nullptr)},
          {"saved_by_aborts", budget ? Json(money) : Json(nullptr)},
          {"saved_seconds", seconds}};
}

}  // namespace

ReportRows RowsOf(store::StateStore& store) {
  return {[&store](const std::string& run, int64_t after, int64_t limit) {
            return store.ReadMetrics(run, after, limit);
          },
          [&store](const std::string& experiment, int64_t after, int64_t limit) {
            return store.ReadEvents(experiment, after, limit);
          }};
}

absl::StatusOr<Json> MakeReportData(const state::Snapshot& snapshot, const ReportRows& rows,
                                    const ExperimentId& id, const std::string& version) {
  const auto found = snapshot.experiments->find(id);
  if (found == snapshot.experiments->end()) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", id.str()));
  }
  const Experiment& experiment = *found->second;
  Json certificates = Json::array(), stages = Json::array();
  for (const auto& [key, certificate] : *snapshot.certificates) {
    if (certificate->experiment == id) certificates.push_back(certificate->body);
  }
  for (const StageRecord& stage : experiment.stages) {
    stages.push_back({{"name", StageName(stage.kind)},
                      {"state", StateName(stage.state)},
                      {"gate", stage.gate.empty() ? Json(nullptr) : Json(stage.gate)},
                      {"reason", stage.reason}});
  }
  const bool ended = experiment.ended_at != absl::InfinitePast();
  SCM_ASSIGN_OR_RETURN(const Json runs, RunsOf(snapshot, rows, id));
  SCM_ASSIGN_OR_RETURN(const Json events, EventsOf(rows, id));
  Json artifacts = Json::array();
  for (const v1::ArtifactListing& artifact : ArtifactNames(snapshot, id)) {
    artifacts.push_back(answers::ToJson(artifact));
  }
  return Json{{"version", 1},
              {"experiment",
               {{"id", id.str()},
                {"name", experiment.name},
                {"state", StateName(experiment.state)},
                {"submitted_at", Rfc3339(snapshot.timeline->Stamp(experiment.submitted_at))},
                {"finished_at", ended ? Json(Rfc3339(snapshot.timeline->Stamp(experiment.ended_at)))
                                      : Json(nullptr)},
                {"spec", SpecToJson(*experiment.spec)},
                {"source", experiment.source},
                {"winner", experiment.winner},
                {"digests", experiment.spec->digests},
                {"scm_version", version}}},
              {"cost", CostOf(snapshot, experiment, certificates)},
              {"stages", stages},
              {"runs", runs},
              {"sweep", SweepPart(snapshot, experiment, runs)},
              {"data_check", DataCheckPart(snapshot, id)},
              {"warnings", WarningsPart(snapshot, experiment)},
              {"export", ExportPart(snapshot, id)},
              {"artifacts", artifacts},
              {"certificates", certificates},
              {"events", events}};
}

}  // namespace scm::views
