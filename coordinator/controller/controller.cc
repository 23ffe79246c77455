#include "coordinator/controller/controller.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "common/text.h"
#include "coordinator/controller/adopt_checkpoints.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/damage.h"
#include "coordinator/controller/dispatcher.h"
#include "coordinator/controller/policy_runner.h"
#include "coordinator/controller/process_exit.h"
#include "coordinator/controller/report_handler.h"
#include "coordinator/controller/retention.h"
#include "coordinator/controller/stage_driver.h"
#include "coordinator/controller/worker_sessions.h"
#include "coordinator/controller/write_report_data.h"
#include "experiment/parse.h"
#include "experiment/tree.h"

namespace scm::controller {
namespace {

constexpr absl::Duration kPolicyPeriod = absl::Seconds(1);
constexpr size_t kWarnings = 100, kWarningBytes = 500;  // kept of one submission
// In the order of Input.
constexpr const char* kInputNames[] = {
    "a submission",         "a control request", "a registration", "a renewal", "reports",
    "a process's progress", "a goodbye",         "a lost link",    "an upload", "a damaged blob"};
static_assert(std::size(kInputNames) == std::variant_size_v<Input>);

}  // namespace

struct Controller::Impl {
  explicit Impl(ControllerOptions options, ControllerDependencies dependencies)
      : context(std::move(options), dependencies),
        sessions(&context),
        stages(&context),
        policies(&context, &stages),
        reports(&context, {[this](const RunId& run, int64_t step) { AfterValidation(run, step); },
                           [this](const RunId& run, int64_t step, const std::string& metric,
                                  double value) { policies.NonFinite(run, step, metric, value); }}),
        dispatcher(&context,
                   {[this](const TaskId& task) { return policies.MayStart(task); },
                    [this](const Task& task) { return WriteReportData(context, task); }}) {}

  void AfterValidation(const RunId& run, int64_t step) {
    NoteBestStep(run, step);
    policies.Look(run);
    stages.AfterValidation(run);
  }

  void NoteBestStep(const RunId& id, int64_t step) {
    Run& run = context.cluster.runs.Mutate(id);
    run.best_step = BestStepWith(context.cluster, run, step);
  }

  // One overload an input; the returned text answers it.
  absl::StatusOr<Reply> operator()(const SubmitInput& input);
  absl::StatusOr<Reply> operator()(const ControlInput& input);
  absl::StatusOr<Reply> operator()(const RegisterInput& input);
  absl::StatusOr<Reply> operator()(const RenewInput& input);
  absl::StatusOr<Reply> operator()(const ReportsInput& input);
  absl::StatusOr<Reply> operator()(const ProcessInput& input);
  absl::StatusOr<Reply> operator()(const GoodbyeInput& input);
  absl::StatusOr<Reply> operator()(const LinkLostInput& input);
  absl::StatusOr<Reply> operator()(const BlobInput& input);
  absl::StatusOr<Reply> operator()(const DamageInput& input);

  // Every look at the clocks begins here: what waited during a pause is handled after this.
  void Observe(const state::ClockReading& reading);
  absl::StatusOr<Reply> ControlExperiment(ControlVerb verb, const std::string& id);
  absl::StatusOr<Reply> Shutdown();
  void AdvanceTouched();
  std::set<std::string> KnownBlobs(const store::StoredState& stored) const;
  void NoteSetAside(std::vector<state::SetAsideRow> rows);
  // Runs a part of the work; what it throws is noted, and the rest goes on. False then.
  template <typename Body>
  bool Watched(absl::string_view what, const Body& body) {
    const absl::Status status = Guarded(what, body);
    if (!status.ok()) context.NoteFault(status);
    return status.ok();
  }

  ControllerContext context;
  WorkerSessions sessions;
  StageDriver stages;
  PolicyRunner policies;
  ReportHandler reports;
  Dispatcher dispatcher;

  absl::Time last_policy_look = absl::InfinitePast();
  store::WriteBatch unwritten;  // kept while the disk is full
  std::vector<std::pair<Done, absl::StatusOr<Reply>>> answers;
  mutable std::mutex snapshot_mutex;
  std::shared_ptr<const state::Snapshot> published =
      std::make_shared<state::Snapshot>(state::Cluster().Publish({}));
};

void Controller::Impl::Observe(const state::ClockReading& reading) {
  const absl::Duration pause = context.Observe(reading);
  if (pause == absl::ZeroDuration()) return;
  sessions.StoodStill(pause);
  policies.StoodStill(pause);
}

absl::StatusOr<Reply> Controller::Impl::operator()(const SubmitInput& input) {
  if (!input.request_id.empty()) {
    const auto known = context.cluster.requests.find(input.request_id);
    if (known != context.cluster.requests.end()) return known->second;
  }
  ParsedExperiment parsed = ParseExperiment(input.spec_json, {"/", /*check_paths=*/false});
  if (!parsed.spec) {
    std::vector<std::string> lines;
    for (const Diagnostic& error : parsed.errors) {
      lines.push_back(absl::StrCat(error.key, ": ", error.message));
    }
    return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
  }
  // As it is stored it must be readable again.
  if (DumpJson(SpecToJson(*parsed.spec)).size() > experiment_file::kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("with its defaults the experiment has more than ",
                     experiment_file::kMaxFileBytes, " bytes"));
  }
  Experiment experiment;
  experiment.id = context.cluster.NewId<ExperimentId>();
  experiment.name = parsed.spec->name;
  experiment.submitted_at = context.now;
  experiment.source = input.source;
  for (const std::string& warning : input.warnings) {
    if (experiment.warnings.size() >= kWarnings) break;
    experiment.warnings.push_back(LineOf(warning, kWarningBytes));
  }
  for (const StageKind stage : parsed.spec->stages) {
    StageRecord record;
    record.kind = stage;
    experiment.stages.push_back(record);
  }
  experiment.spec = std::make_shared<ExperimentSpec>(*std::move(parsed.spec));
  const ExperimentId id = experiment.id;
  context.cluster.experiments.Insert(id, std::move(experiment));
  if (!input.request_id.empty()) context.cluster.AddRequest(input.request_id, id.str());
  context.Event(id, id.str(), "experiment_submitted", context.cluster.experiments.Find(id)->name);
  context.touched.insert(id);
  return id.str();
}

absl::StatusOr<Reply> Controller::Impl::ControlExperiment(ControlVerb verb,
                                                          const std::string& text) {
  const ExperimentId id(text);
  const Experiment* experiment = context.cluster.experiments.Find(id);
  if (experiment == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no experiment ", text));
  }
  if (verb == ControlVerb::kResume) {
    SCM_RETURN_IF_ERROR(stages.ResumeExperiment(id));
  } else if (IsTerminal(experiment->state)) {
    return absl::FailedPreconditionError(
        absl::StrCat(text, " has ended already: ", StateName(experiment->state)));
  } else if (verb == ControlVerb::kPause) {
    if (experiment->state == State::kStopping) {
      return absl::FailedPreconditionError(
          absl::StrCat(text, " is being stopped for good: ", experiment->stop_text));
    }
    if (experiment->state != State::kPaused) {
      stages.StopExperiment(id, StopReason::kPause, "", "paused by the user");
    }
  } else {
    stages.StopExperiment(id, StopReason::kCancel, "", "cancelled by the user");
    // A paused experiment has nothing that runs; it ends at once.
  }
  AdvanceTouched();
  const Json answer = {{"experiment", text},
                       {"state", StateName(context.cluster.experiments.Find(id)->state)}};
  return DumpJson(answer);
}

absl::StatusOr<Reply> Controller::Impl::Shutdown() {
  context.shutting_down = true;
  std::vector<TaskId> held;
  for (const TaskId& id : context.cluster.open_tasks()) {
    if (context.cluster.tasks.Find(id)->lease) held.push_back(id);
  }
  for (const TaskId& task : held) {
    context.Transition(task, StopRequested{StopReason::kDrain, "", "the coordinator shuts down"})
        .IgnoreError();
  }
  const Json answer = {{"stopping", held.size()}};
  return DumpJson(answer);
}

absl::StatusOr<Reply> Controller::Impl::operator()(const ControlInput& input) {
  switch (input.verb) {
    case ControlVerb::kPause:
    case ControlVerb::kResume:
    case ControlVerb::kCancel:
      return ControlExperiment(input.verb, input.id);
    case ControlVerb::kDrain:
      return sessions.Drain(WorkerId(input.id), true);
    case ControlVerb::kUndrain:
      return sessions.Drain(WorkerId(input.id), false);
    case ControlVerb::kCheckpointGc:
      return CollectCheckpoints(context, ExperimentId(input.id), input.preview);
    case ControlVerb::kShutdown:
      return Shutdown();
  }
  return absl::InternalError("unknown verb");
}

absl::StatusOr<Reply> Controller::Impl::operator()(const RegisterInput& input) {
  SCM_ASSIGN_OR_RETURN(const std::vector<LeaseRef> kept, sessions.Register(input));
  for (const LeaseRef& lease : kept) policies.Listen(lease.task);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const RenewInput& input) {
  sessions.Renew(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const ReportsInput& input) {
  reports.Handle(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const GoodbyeInput& input) {
  sessions.Goodbye(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const LinkLostInput& input) {
  sessions.LinkLost(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const ProcessInput& input) {
  if (!context.Hears(input.worker, input.lease)) {
    // Its end was committed before, or its lease is gone: either way the worker may forget it.
    context.Send(input.worker, AckOutput{input.lease, 0, true});
    return Reply();
  }
  const Task before = *context.cluster.tasks.Find(input.lease.task);
  const double rate = context.CostRate(before);
  const TaskEvent event = EventOfDamage(context, input).value_or(EventOfProcess(before, input));
  SCM_RETURN_IF_ERROR(context.Transition(before.id, event));
  const Task& after = *context.cluster.tasks.Find(before.id);
  if (!after.lease) context.Send(input.worker, AckOutput{input.lease, before.report_offset, true});
  if (after.run.empty() || !IsTerminal(after.state)) return Reply();
  context.cluster.runs.Mutate(after.run).best_step =
      BestStep(context.cluster, *context.cluster.runs.Find(after.run));
  if (after.state == State::kAborted && after.rule == "non_finite") {
    policies.Diverged(after.run, after.reason, rate);
  }
  if (after.state == State::kSucceeded && before.stop_reason == StopReason::kAbort) {
    policies.Overtaken(after.run);
  }
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::operator()(const BlobInput& input) {
  if (!context.Hears(input.worker, input.lease)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease ", input.lease.lease.str(), " of ", input.lease.task.str(),
                     " is no longer valid: its upload is not accepted"));
  }
  const Task& task = *context.cluster.tasks.Find(input.lease.task);
  if (!input.checkpoint) {
    context.cluster.artifacts.Insert(
        input.blob.id,
        {input.blob.id, task.id, task.experiment, input.name, input.blob.sha256, input.blob.path,
         input.lease.attempt, input.blob.bytes, FilesOf(input.blob.manifest)});
    return input.blob.id;
  }
  if (task.run.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(task.id.str(), " is no run: it cannot have a checkpoint"));
  }
  CheckpointRecord record = RecordOf(input.blob, task.run, context.now);
  record.attempt = input.lease.attempt;
  record.step = input.step;
  context.cluster.checkpoints.Insert(input.blob.id, std::move(record));
  const RunId run = task.run;
  context.cluster.tasks.Mutate(task.id).progressed = true;
  NoteBestStep(run, input.step);
  return input.blob.id;
}

absl::StatusOr<Reply> Controller::Impl::operator()(const DamageInput& input) {
  return TakeDamage(context, input);
}

void Controller::Impl::AdvanceTouched() {
  std::set<ExperimentId> faulty;
  while (!context.touched.empty()) {
    const std::set<ExperimentId> touched = std::exchange(context.touched, {});
    context.placement_changed = true;  // there may be new tasks
    for (const ExperimentId& id : touched) {
      if (faulty.contains(id)) continue;
      const bool done = Watched(absl::StrCat("stages of ", id.str()), [&] { stages.Advance(id); });
      if (!done) faulty.insert(id);
    }
  }
}

// Files of blobs that some row names, readable or not: an unreadable row must not cost its files.
std::set<std::string> Controller::Impl::KnownBlobs(const store::StoredState& stored) const {
  std::set<std::string> known;
  for (const store::EntityRow& row : stored.entities) {
    if (row.table == store::EntityTable::kArtifacts) known.insert(row.id);
    if (row.table != store::EntityTable::kCheckpoints) continue;
    const CheckpointRecord* record = context.cluster.checkpoints.Find(row.id);
    if (record == nullptr || !record->deleted) known.insert(row.id);
  }
  return known;
}

void Controller::Impl::NoteSetAside(std::vector<state::SetAsideRow> rows) {
  for (const state::SetAsideRow& row : context.cluster.NewlySetAside(rows)) {
    context.Event(ExperimentId(row.experiment), row.id, "row_set_aside",
                  absl::StrCat("the row ", row.id, " of table ", row.table,
                               " is set aside and kept in the store as it is: ", row.reason));
  }
  auto health = std::make_shared<state::StoreHealth>(*context.store_health);
  health->set_aside = std::move(rows);
  context.store_health = std::move(health);
}

Controller::Controller(ControllerOptions options, ControllerDependencies dependencies)
    : options_(options),
      dependencies_(dependencies),
      impl_(std::make_unique<Impl>(std::move(options), dependencies)) {}
Controller::~Controller() = default;

absl::Status Controller::Recover(const state::ClockReading& reading, const std::string& boot) {
  ControllerContext& context = impl_->context;
  SCM_ASSIGN_OR_RETURN(const store::StoredState stored, dependencies_.store->Load());
  impl_->NoteSetAside(context.cluster.Restore(stored));
  context.cluster.timeline =
      std::make_shared<state::Timeline>(context.cluster.stored_clock(), reading, boot);
  context.Observe(reading);
  SCM_RETURN_IF_ERROR(AdoptCheckpoints(context, impl_->KnownBlobs(stored)));
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> missing,
                       dependencies_.checkpoints->Sweep(impl_->KnownBlobs(stored)));
  for (const std::string& id : missing) {
    // An artifact has no record to mark: whoever asks for it is told.
    GiveUpCheckpoint(context, id, "its files are gone from the checkpoint store").IgnoreError();
  }
  impl_->sessions.RestartTerms();
  for (const TaskId& id : context.cluster.open_tasks()) {
    if (context.cluster.tasks.Find(id)->lease) impl_->policies.Listen(id);
  }
  for (const auto& [id, experiment] : context.cluster.experiments.all()) {
    if (!IsTerminal(experiment->state)) context.touched.insert(id);
  }
  impl_->AdvanceTouched();
  return Flush(reading);
}

void Controller::Handle(const Input& input, const state::ClockReading& reading, Done done) {
  impl_->Observe(reading);
  absl::StatusOr<Reply> answer =
      absl::InternalError("a fault of the coordinator; `scmctl events` names it");
  impl_->Watched(kInputNames[input.index()], [&] { answer = std::visit(*impl_, input); });
  impl_->AdvanceTouched();
  if (done) impl_->answers.emplace_back(std::move(done), std::move(answer));
}

void Controller::Tick(const state::ClockReading& reading) {
  impl_->Observe(reading);
  const absl::Time now = impl_->context.now;
  impl_->Watched("expiries", [this] { impl_->sessions.Expire(); });
  if (now - impl_->last_policy_look >= kPolicyPeriod) {
    impl_->last_policy_look = now;
    impl_->Watched("abort rules", [this] { impl_->policies.LookAtTime(); });
  }
  impl_->AdvanceTouched();
  impl_->Watched("scheduling", [this] { impl_->dispatcher.Schedule(); });
  impl_->AdvanceTouched();
}

state::StoreHealth Controller::CheckStore(const state::ClockReading& reading,
                                          absl::Duration allowed) {
  ControllerContext& context = impl_->context;
  impl_->Observe(reading);
  auto health = std::make_shared<state::StoreHealth>(*context.store_health);
  health->check = dependencies_.store->Check(allowed);
  health->checked_at = context.now;
  const std::vector<std::string>& problems = health->check.problems;
  if (!problems.empty() && problems != context.store_health->check.problems) {
    context.Event(ExperimentId(), "store", "store_damaged", absl::StrJoin(problems, "; "));
  }
  context.store_health = health;
  return *health;
}

absl::Status Controller::Flush(const state::ClockReading& reading) {
  // What a full disk refused goes first, unchanged: its events have their numbers already.
  for (bool again = true; again;) {
    again = !impl_->unwritten.empty();
    if (!again) impl_->unwritten = impl_->context.cluster.TakeBatch(reading);
    if (impl_->unwritten.empty()) break;
    if (absl::Status status = dependencies_.store->Commit(impl_->unwritten); !status.ok()) {
      if (absl::IsResourceExhausted(status) && !impl_->published->store_full) {
        state::Snapshot full = *impl_->published;
        full.store_full = true;
        std::lock_guard lock(impl_->snapshot_mutex);
        impl_->published = std::make_shared<state::Snapshot>(std::move(full));
      }
      return status;
    }
    impl_->unwritten = store::WriteBatch();
  }
  state::Cluster& cluster = impl_->context.cluster;
  state::Snapshot next =
      cluster.Publish(std::max(impl_->context.now, cluster.timeline->At(reading.steady)));
  next.waiting_reasons = impl_->context.waiting_reasons;
  next.store_health = impl_->context.store_health;
  next.waiting_for = impl_->context.WaitingFor();
  {
    std::lock_guard lock(impl_->snapshot_mutex);
    impl_->published = std::make_shared<state::Snapshot>(std::move(next));
  }
  for (auto& [done, answer] : std::exchange(impl_->answers, {})) done(std::move(answer));
  for (const auto& effect : std::exchange(impl_->context.after_commit, {})) effect();
  for (auto& [link, output] : std::exchange(impl_->context.outbox, {})) {
    dependencies_.links->Send(link, output);
  }
  return absl::OkStatus();
}

std::shared_ptr<const state::Snapshot> Controller::snapshot() const {
  std::lock_guard lock(impl_->snapshot_mutex);
  return impl_->published;
}

bool Controller::quiet() const {
  const state::Cluster& cluster = impl_->context.cluster;
  for (const TaskId& id : cluster.open_tasks()) {
    if (cluster.tasks.Find(id)->lease) return false;
  }
  return true;
}

}  // namespace scm::controller
