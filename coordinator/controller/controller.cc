#include "coordinator/controller/controller.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/guard.h"
#include "common/status_macros.h"
#include "coordinator/controller/adopt_checkpoints.h"
#include "coordinator/controller/advance.h"
#include "coordinator/controller/best_step.h"
#include "coordinator/controller/context.h"
#include "coordinator/controller/damage.h"
#include "coordinator/controller/dispatcher.h"
#include "coordinator/controller/packs.h"
#include "coordinator/controller/policy_runner.h"
#include "coordinator/controller/process_exit.h"
#include "coordinator/controller/report_handler.h"
#include "coordinator/controller/stage_driver.h"
#include "coordinator/controller/submission.h"
#include "coordinator/controller/uploads.h"
#include "coordinator/controller/user_control.h"
#include "coordinator/controller/worker_sessions.h"
#include "coordinator/core/policy/abort_policy.h"

namespace scm::controller {
namespace {

constexpr absl::Duration kPolicyPeriod = absl::Seconds(1);
// In the order of Input.
constexpr const char* kInputNames[] = {"a submission",
                                       "a control request",
                                       "a registration",
                                       "a renewal",
                                       "reports",
                                       "a process's progress",
                                       "a goodbye",
                                       "a lost link",
                                       "an upload",
                                       "a damaged blob",
                                       "a tick",
                                       "the recovery",
                                       "what the checkpoint store holds",
                                       "a look through the store"};
static_assert(std::size(kInputNames) == std::variant_size_v<Input>);

// Files of blobs that some row names, readable or not: an unreadable row must not cost its files.
std::set<std::string> KnownBlobs(const state::Cluster& cluster, const store::StoredState& stored) {
  std::set<std::string> known;
  for (const store::EntityRow& row : stored.entities) {
    if (row.table == store::EntityTable::kArtifacts) known.insert(row.id);
    if (row.table != store::EntityTable::kCheckpoints) continue;
    const CheckpointRecord* record = cluster.checkpoints.Find(row.id);
    if (record == nullptr || !record->deleted) known.insert(row.id);
  }
  for (const auto& [id, checkpoint] : cluster.checkpoints.all()) {
    if (!checkpoint->deleted) known.insert(id);
  }
  return known;
}

}  // namespace

struct Controller::Impl {
  explicit Impl(ControllerOptions options, ControllerDependencies dependencies)
      : context(std::move(options), dependencies),
        sessions(&context),
        stages(&context),
        policies(&context),
        reports(&context),
        dispatcher(&context) {}

  // One overload an input; the returned text answers it.
  absl::StatusOr<Reply> Take(const SubmitInput& input) { return Submit(context, input); }
  absl::StatusOr<Reply> Take(const ControlInput& input) {
    return Control(context, stages, sessions, input);
  }
  absl::StatusOr<Reply> Take(const RegisterInput& input);
  absl::StatusOr<Reply> Take(const RenewInput& input);
  absl::StatusOr<Reply> Take(const ReportsInput& input);
  absl::StatusOr<Reply> Take(const ProcessInput& input);
  absl::StatusOr<Reply> Take(const GoodbyeInput& input);
  absl::StatusOr<Reply> Take(const LinkLostInput& input);
  absl::StatusOr<Reply> Take(const BlobInput& input) { return TakeBlob(context, input); }
  absl::StatusOr<Reply> Take(const DamageInput& input) { return TakeDamage(context, input); }
  absl::StatusOr<Reply> Take(const TickInput& input);
  absl::StatusOr<Reply> Take(const RecoverInput& input);
  absl::StatusOr<Reply> Take(const BlobsInput& input);
  absl::StatusOr<Reply> Take(const StoreCheckInput& input);

  // Every look at the clocks begins here: what waited during a pause is handled after this.
  void Observe(const state::ClockReading& reading);
  // A line of a report may end its run before the next line is taken.
  void Judge(const RunNews& news);
  // What follows from the end of a run; `was_aborted`: an abort was on its way to it. `rate`: what
  // a second of its process cost.
  void SettleRun(const RunId& id, bool was_aborted, double rate);
  void Schedule();
  void NoteSetAside(std::vector<state::SetAsideRow> rows);
  void Perform(const Effect& effect);
  void Publish(const state::ClockReading& reading);
  void PublishFull();

  ControllerContext context;
  WorkerSessions sessions;
  StageDriver stages;
  PolicyRunner policies;
  ReportHandler reports;
  Dispatcher dispatcher;

  state::ClockReading reading;  // of the present input
  absl::Time last_judged = absl::InfinitePast();
  store::WriteBatch unwritten;  // kept while the disk is full
  std::vector<std::pair<Done, absl::StatusOr<Reply>>> answers;
  mutable std::mutex snapshot_mutex;
  std::shared_ptr<const state::Snapshot> published =
      std::make_shared<state::Snapshot>(state::Cluster().Publish({}));
};

void Controller::Impl::Observe(const state::ClockReading& now) {
  const absl::Duration pause = context.Observe(now);
  if (pause == absl::ZeroDuration()) return;
  sessions.StoodStill(pause);
  policies.StoodStill(pause);
}

absl::StatusOr<Reply> Controller::Impl::Take(const RegisterInput& input) {
  SCM_ASSIGN_OR_RETURN(const std::vector<LeaseRef> kept, sessions.Register(input));
  for (const LeaseRef& lease : kept) policies.ExpectReportsFromNow(lease.task);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const RenewInput& input) {
  sessions.Renew(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const ReportsInput& input) {
  ReportHandler::Cursor cursor = reports.Begin(input);
  while (const std::optional<RunNews> news = reports.Next(cursor)) {
    const absl::Status judged = Guarded("cannot be handled", [&] { Judge(*news); });
    if (!judged.ok()) reports.Bad(input.lease.task, judged.message());
  }
  reports.End(cursor);
  return Reply();
}

void Controller::Impl::Judge(const RunNews& news) {
  if (news.kind == RunNews::Kind::kNonFinite) {
    return policies.JudgeNonFinite(news.run, news.note);
  }
  if (news.kind == RunNews::Kind::kRunEnded) {
    const TaskId task = context.cluster.runs.Find(news.run)->task;
    return SettleRun(news.run, news.was_aborted,
                     context.CostRate(*context.cluster.tasks.Find(task)));
  }
  NoteBestStep(context, news.run, news.step);
  policies.Judge(news.run);
  stages.AfterValidation(news.run);
}

absl::StatusOr<Reply> Controller::Impl::Take(const GoodbyeInput& input) {
  sessions.Goodbye(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const LinkLostInput& input) {
  sessions.LinkLost(input);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const ProcessInput& said) {
  if (!context.Hears(said.worker, said.lease)) {
    // Its end was committed before, or its lease is gone: either way the worker may forget it.
    context.Send(said.worker, AckOutput{said.lease, 0, true});
    return Reply();
  }
  ProcessInput input = said;
  input.lease.rank = *context.RankOf(said.worker, said.lease);
  const Task before = *context.cluster.tasks.Find(input.lease.task);
  const double rate = context.CostRate(before);
  TaskEvent event = EventOfDamage(context, input).value_or(EventOfProcess(before, input));
  if (IsGoodEnd(event)) context.Apply(before.id, RankEnded{input.lease.rank});
  if (IsGoodEnd(event) && OthersRun(before, input.lease.rank)) {
    context.Send(input.worker, AckOutput{input.lease, before.report_offset, true});
    return Reply();
  }
  event = EndOfAttempt(before, std::move(event));
  SCM_RETURN_IF_ERROR(context.Transition(before.id, event));
  const Task& after = *context.cluster.tasks.Find(before.id);
  if (!after.attempt)
    context.Send(input.worker, AckOutput{input.lease, before.report_offset, true});
  for (const RunId& run : core::RunsIn(after)) {
    const core::RunStanding was = core::StandingOf(before, run);
    if (IsTerminal(was.state) || !IsTerminal(context.StandingOf(run).state)) continue;
    SettleRun(run, was.stop_reason == StopReason::kAbort, rate);
  }
  return Reply();
}

void Controller::Impl::SettleRun(const RunId& id, bool was_aborted, double rate) {
  const core::RunStanding now = context.StandingOf(id);
  context.Apply(id, BestStepFound{BestStep(context.cluster, *context.cluster.runs.Find(id))});
  if (now.state == State::kAborted && now.rule == policy::kNonFinite) {
    policies.CertifyDiverged(id, now.reason, rate);
  }
  if (now.state == State::kSucceeded && was_aborted) policies.VoidAborts(id);
}

absl::StatusOr<Reply> Controller::Impl::Take(const TickInput&) {
  Watched(context, "expiries", [this] {
    sessions.Expire();
    ExpireRunStops(context);
  });
  if (context.now - last_judged >= kPolicyPeriod) {
    last_judged = context.now;
    Watched(context, "abort rules", [this] { policies.JudgeAll(); });
  }
  AdvanceTouched(context, stages);
  Watched(context, "scheduling", [this] { Schedule(); });
  return Reply();
}

void Controller::Impl::Schedule() {
  for (const core::Allocation& allocation : dispatcher.Decide()) {
    if (policies.MayStart(allocation.task)) dispatcher.Grant(allocation);
  }
}

absl::StatusOr<Reply> Controller::Impl::Take(const RecoverInput& input) {
  NoteSetAside(context.cluster.Restore(*input.stored));
  context.cluster.ResumeTime(reading, input.boot);
  context.Observe(reading);
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const BlobsInput& input) {
  TakeUnknownBlobs(context, input.unknown);
  for (const std::string& id : input.missing) {
    // An artifact has no record to mark: whoever asks for it is told.
    GiveUpCheckpoint(context, id, "its files are gone from the checkpoint store").IgnoreError();
  }
  sessions.RestartTerms();
  for (const TaskId& id : context.cluster.open_tasks()) {
    if (context.cluster.tasks.Find(id)->attempt) policies.ExpectReportsFromNow(id);
  }
  for (const auto& [id, experiment] : context.cluster.experiments.all()) {
    if (!IsTerminal(experiment->state)) context.touched.insert(id);
  }
  return Reply();
}

absl::StatusOr<Reply> Controller::Impl::Take(const StoreCheckInput& input) {
  auto health = std::make_shared<state::StoreHealth>(*context.store_health);
  health->check = input.check;
  health->checked_at = context.now;
  const std::vector<std::string>& problems = health->check.problems;
  if (!problems.empty() && problems != context.store_health->check.problems) {
    context.Event(ExperimentId(), "store", "store_damaged", absl::StrJoin(problems, "; "));
  }
  context.store_health = std::move(health);
  return Reply();
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
    : dependencies_(dependencies),
      impl_(std::make_unique<Impl>(std::move(options), dependencies)) {}
Controller::~Controller() = default;

absl::Status Controller::Recover(const state::ClockReading& reading, const std::string& boot) {
  SCM_ASSIGN_OR_RETURN(store::StoredState loaded, dependencies_.store->Load());
  const auto stored = std::make_shared<const store::StoredState>(std::move(loaded));
  Handle(RecoverInput{stored, boot}, reading, nullptr);
  // With half a state the sweep below would remove what the other half needs.
  if (!impl_->context.faults.empty()) {
    return absl::InternalError(absl::StrJoin(impl_->context.faults, "; "));
  }
  const state::Cluster& cluster = impl_->context.cluster;
  // Deleted ones are known, too: what is left of them is swept.
  std::set<std::string> known = KnownBlobs(cluster, *stored);
  for (const auto& [id, checkpoint] : cluster.checkpoints.all()) known.insert(id);
  BlobsInput blobs;
  SCM_ASSIGN_OR_RETURN(blobs.unknown, ReadUnknownBlobs(cluster, *dependencies_.checkpoints, known));
  known = KnownBlobs(cluster, *stored);
  for (const UnknownBlob& found : blobs.unknown) {
    if (found.fate == BlobFate::kAdopted) known.insert(found.blob.id);
  }
  SCM_ASSIGN_OR_RETURN(blobs.missing, dependencies_.checkpoints->Sweep(known));
  Handle(blobs, reading, nullptr);
  return Flush(reading);
}

void Controller::Handle(const Input& input, const state::ClockReading& reading, Done done) {
  if (dependencies_.journal != nullptr) dependencies_.journal->Took(reading, input);
  impl_->reading = reading;
  // Before the recovery there is no time to go on from.
  if (!std::holds_alternative<RecoverInput>(input)) impl_->Observe(reading);
  absl::StatusOr<Reply> answer =
      absl::InternalError("a fault of the coordinator; `scmctl events` names it");
  Watched(impl_->context, kInputNames[input.index()], [&] {
    answer = std::visit([this](const auto& each) { return impl_->Take(each); }, input);
  });
  AdvanceTouched(impl_->context, impl_->stages);
  if (done) impl_->answers.emplace_back(std::move(done), std::move(answer));
}

void Controller::Tick(const state::ClockReading& reading) { Handle(TickInput{}, reading, nullptr); }

state::StoreHealth Controller::CheckStore(const state::ClockReading& reading,
                                          absl::Duration allowed) {
  Handle(StoreCheckInput{dependencies_.store->Check(allowed)}, reading, nullptr);
  return *impl_->context.store_health;
}

absl::Status Controller::Flush(const state::ClockReading& reading) {
  // What a full disk refused goes first, unchanged: its events have their numbers already.
  for (bool again = true; again;) {
    again = !impl_->unwritten.empty();
    if (!again) impl_->unwritten = impl_->context.cluster.TakeBatch(reading);
    if (impl_->unwritten.empty()) break;
    if (absl::Status status = dependencies_.store->Commit(impl_->unwritten); !status.ok()) {
      if (absl::IsResourceExhausted(status)) impl_->PublishFull();
      return status;
    }
    impl_->unwritten = store::WriteBatch();
  }
  if (dependencies_.journal != nullptr) dependencies_.journal->Committed(reading);
  impl_->Publish(reading);
  for (auto& [done, answer] : std::exchange(impl_->answers, {})) done(std::move(answer));
  for (const Effect& effect : std::exchange(impl_->context.effects, {})) impl_->Perform(effect);
  return absl::OkStatus();
}

void Controller::Impl::Perform(const Effect& effect) {
  if (const auto* send = std::get_if<SendToWorker>(&effect)) {
    context.dependencies.links->Send(send->link, send->output);
  } else if (const auto* remove = std::get_if<RemoveBlob>(&effect)) {
    context.dependencies.checkpoints->Remove(remove->id).IgnoreError();
  }
}

void Controller::Impl::Publish(const state::ClockReading& now) {
  state::Cluster& cluster = context.cluster;
  state::Snapshot next = cluster.Publish(std::max(context.now, cluster.timeline().At(now.steady)));
  next.waiting_reasons = context.waiting_reasons;
  next.store_health = context.store_health;
  next.waiting_for = context.WaitingFor();
  std::lock_guard lock(snapshot_mutex);
  published = std::make_shared<state::Snapshot>(std::move(next));
}

void Controller::Impl::PublishFull() {
  if (published->store_full) return;
  state::Snapshot full = *published;
  full.store_full = true;
  std::lock_guard lock(snapshot_mutex);
  published = std::make_shared<state::Snapshot>(std::move(full));
}

std::shared_ptr<const state::Snapshot> Controller::snapshot() const {
  std::lock_guard lock(impl_->snapshot_mutex);
  return impl_->published;
}

bool Controller::quiet() const {
  const state::Cluster& cluster = impl_->context.cluster;
  for (const TaskId& id : cluster.open_tasks()) {
    if (cluster.tasks.Find(id)->attempt) return false;
  }
  return true;
}

}  // namespace scm::controller
