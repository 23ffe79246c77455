#include "coordinator/rpc/answers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "answers/message_json.h"
#include "common/status_macros.h"
#include "coordinator/rpc/doctor.h"
#include "coordinator/state/snapshot_index.h"
#include "coordinator/views/report_data.h"
#include "coordinator/views/views.h"

namespace scm::rpc {
namespace {

constexpr int64_t kPage = 5000;

int64_t LimitOf(const v1::Question& question) {
  return question.limit() > 0 ? std::min(question.limit(), kPage) : kPage;
}

template <typename Answer>
absl::StatusOr<Answer> Sent(Answer answer) {
  answers::RepairTexts(answer);
  return answer;
}

// What `view` says about the id that the question means.
template <typename View>
auto About(const ServiceDependencies& deps, const v1::Question& question, const View& view)
    -> decltype(view(*deps.loop->snapshot(), std::string())) {
  const auto snapshot = deps.loop->snapshot();
  std::string id;
  if (!question.id().empty()) {
    SCM_ASSIGN_OR_RETURN(id, views::ResolveId(*snapshot, question.id()));
  }
  auto answer = view(*snapshot, id);
  if (!answer.ok()) return answer.status();
  answer->set_resolved(id);
  return Sent(*std::move(answer));
}

// Each page is a turn of its own on the controller's thread, and the rest is done on this one.
template <typename Row>
absl::StatusOr<std::vector<Row>> PageOf(
    controller::ControllerLoop& loop,
    const std::function<absl::StatusOr<std::vector<Row>>(store::StateStore&)>& read) {
  absl::StatusOr<std::vector<Row>> rows = absl::UnavailableError("shutting down");
  SCM_RETURN_IF_ERROR(loop.Read([&](store::StateStore& store) { rows = read(store); }));
  return rows;
}

absl::StatusOr<std::vector<store::StoredMetric>> MetricsPage(controller::ControllerLoop& loop,
                                                             const std::string& run, int64_t after,
                                                             int64_t limit) {
  return PageOf<store::StoredMetric>(
      loop, [&](store::StateStore& store) { return store.ReadMetrics(run, after, limit); });
}

absl::StatusOr<std::vector<store::EventRow>> EventsPage(controller::ControllerLoop& loop,
                                                        const std::string& experiment,
                                                        int64_t after, int64_t limit) {
  return PageOf<store::EventRow>(
      loop, [&](store::StateStore& store) { return store.ReadEvents(experiment, after, limit); });
}

views::ReportRows PagesOf(controller::ControllerLoop& loop) {
  return {[&loop](const std::string& run, int64_t after, int64_t limit) {
            return MetricsPage(loop, run, after, limit);
          },
          [&loop](const std::string& experiment, int64_t after, int64_t limit) {
            return EventsPage(loop, experiment, after, limit);
          }};
}

}  // namespace

absl::StatusOr<v1::ExperimentsAnswer> Answers::Experiments(const v1::Question&) const {
  return Sent(views::ListView(*deps_.loop->snapshot()));
}

absl::StatusOr<v1::StatusAnswer> Answers::Status(const v1::Question& question) const {
  return About(deps_, question, views::StatusView);
}

absl::StatusOr<v1::RunsAnswer> Answers::Runs(const v1::Question& question) const {
  return About(deps_, question, views::RunsView);
}

absl::StatusOr<v1::MetricsAnswer> Answers::Metrics(const v1::Question& question) const {
  const auto view = [&](const state::Snapshot& snapshot,
                        const std::string& id) -> absl::StatusOr<v1::MetricsAnswer> {
    if (!snapshot.runs->contains(RunId(id))) {
      return absl::InvalidArgumentError(
          absl::StrCat(id, " is no run; `scmctl runs` lists the runs"));
    }
    const int64_t limit = LimitOf(question);
    SCM_ASSIGN_OR_RETURN(const std::vector<store::StoredMetric> rows,
                         MetricsPage(*deps_.loop, id, question.after(), limit));
    v1::MetricsAnswer answer = views::MetricsView(snapshot, RunId(id), rows);
    if (static_cast<int64_t>(rows.size()) == limit) answer.set_next(rows.back().row);
    return answer;
  };
  return About(deps_, question, view);
}

absl::StatusOr<v1::EventsAnswer> Answers::Events(const v1::Question& question) const {
  const auto view = [&](const state::Snapshot& snapshot,
                        const std::string& id) -> absl::StatusOr<v1::EventsAnswer> {
    const views::EventFilter filter = views::EventsAbout(snapshot, id);
    const int64_t limit = LimitOf(question);
    SCM_ASSIGN_OR_RETURN(const std::vector<store::EventRow> rows,
                         EventsPage(*deps_.loop, filter.experiment, question.after(), limit));
    v1::EventsAnswer answer = views::EventsView(rows, filter);
    // A page of what was read may hold little or nothing of what was asked for.
    if (static_cast<int64_t>(rows.size()) == limit) answer.set_next(rows.back().sequence);
    return answer;
  };
  return About(deps_, question, view);
}

absl::StatusOr<v1::WhyAnswer> Answers::Reasons(const v1::Question& question) const {
  return About(deps_, question, views::WhyView);
}

absl::StatusOr<v1::CheckpointsAnswer> Answers::Checkpoints(const v1::Question& question) const {
  return About(deps_, question, views::CheckpointsView);
}

absl::StatusOr<v1::ArtifactsAnswer> Answers::Artifacts(const v1::Question& question) const {
  return About(deps_, question, views::ReportView);
}

absl::StatusOr<v1::WorkersAnswer> Answers::Workers(const v1::Question&) const {
  return Sent(views::WorkersView(*deps_.loop->snapshot()));
}

absl::StatusOr<v1::InventoryAnswer> Answers::Inventory(const v1::Question&) const {
  return Sent(views::InventoryView(*deps_.loop->snapshot()));
}

absl::StatusOr<v1::ReportDataAnswer> Answers::ReportData(const v1::Question& question) const {
  const auto snapshot = deps_.loop->snapshot();
  SCM_ASSIGN_OR_RETURN(const std::string id, views::ResolveId(*snapshot, question.id()));
  SCM_ASSIGN_OR_RETURN(const Json data,
                       views::MakeReportData(*snapshot, PagesOf(*deps_.loop),
                                             state::ExperimentIdOf(*snapshot, id), deps_.version));
  v1::ReportDataAnswer answer;
  answer.set_report_data_json(DumpJson(data));
  return answer;
}

absl::StatusOr<v1::HealthAnswer> Answers::Health(const v1::Question&) const {
  SCM_ASSIGN_OR_RETURN(const state::StoreHealth health, deps_.loop->CheckStore());
  return Sent(DoctorView(*deps_.loop->snapshot(), health, deps_));
}

}  // namespace scm::rpc
