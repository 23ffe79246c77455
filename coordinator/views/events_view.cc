#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "coordinator/core/run_standing.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/views.h"

namespace scm::views {
namespace {

void AddRun(const state::Snapshot& snapshot, const RunId& id, EventFilter& filter) {
  const auto run = snapshot.runs->find(id);
  if (run == snapshot.runs->end()) return;
  filter.subjects.insert(id.str());
  filter.subjects.insert(run->second->task.str());
}

bool IsAbout(const store::EventRow& row, const EventFilter& filter) {
  if (filter.subjects.empty() || filter.subjects.contains(row.subject)) return true;
  return std::any_of(filter.subjects.begin(), filter.subjects.end(), [&](const std::string& id) {
    return absl::StartsWith(row.subject, absl::StrCat(id, "/"));  // a run's checkpoint
  });
}

}  // namespace

EventFilter EventsAbout(const state::Snapshot& snapshot, absl::string_view id) {
  EventFilter filter;
  const std::string text(id);
  if (text.empty()) return filter;
  const ExperimentId experiment = state::ExperimentIdOf(snapshot, id);
  // What belongs to the cluster, as a worker does, is told of among the events of no experiment.
  if (snapshot.experiments->contains(experiment)) filter.experiment = experiment.str();
  if (filter.experiment == text) return filter;
  filter.subjects.insert(text);
  AddRun(snapshot, RunId(text), filter);
  if (const auto task = snapshot.tasks->find(TaskId(text)); task != snapshot.tasks->end()) {
    for (const RunId& run : core::RunsIn(*task->second)) AddRun(snapshot, run, filter);
  }
  if (const auto trial = snapshot.trials->find(TrialId(text)); trial != snapshot.trials->end()) {
    AddRun(snapshot, trial->second->run, filter);
  }
  const auto certificate = snapshot.certificates->find(CertificateId(text));
  if (certificate != snapshot.certificates->end()) {
    AddRun(snapshot, certificate->second->run, filter);
  }
  return filter;
}

v1::EventsAnswer EventsView(const std::vector<store::EventRow>& rows, const EventFilter& filter) {
  v1::EventsAnswer answer;
  for (const store::EventRow& row : rows) {
    if (!IsAbout(row, filter)) continue;
    const absl::StatusOr<Json> body = ParseJson(row.body, "event");
    v1::Event& event = *answer.add_events();
    event.set_sequence(row.sequence);
    event.set_at(row.at);
    if (!row.experiment.empty()) event.set_experiment(row.experiment);
    event.set_subject(row.subject);
    event.set_kind(row.kind);
    event.set_text(row.text);
    *event.mutable_body() = answers::ValueOf(body.ok() ? *body : Json::object());
  }
  return answer;
}

}  // namespace scm::views
