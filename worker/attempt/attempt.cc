#include "worker/attempt/attempt.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/human.h"
#include "common/text.h"
#include "worker/attempt/prepare.h"
#include "worker/log.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {
namespace {

constexpr size_t kMaxPendingLines = 64;
constexpr double kDefaultGraceSeconds = 30;
// An attempt waits so long for room on a full disk before another worker may have it.
constexpr absl::Duration kRoomPatience = absl::Seconds(30);
constexpr absl::Duration kRoomPause = absl::Seconds(2);
// What is left of the exit grace when the worker itself has to go.
constexpr absl::Duration kLastExitGrace = absl::Seconds(5);
// How long an attempt that failed waits to hear whether its GPUs are still there: a broken one can
// block its driver.
constexpr absl::Duration kGpuPatience = absl::Seconds(10);
// How often that is tried again of which nobody will tell when it succeeds…
constexpr absl::Duration kRetryPause = absl::Milliseconds(100);
// …and what an attempt has left is looked through, where a file could not be read.
constexpr absl::Duration kFlushPause = absl::Seconds(1);

bool IsAboutRoom(const absl::Status& problem) {
  return absl::IsResourceExhausted(problem) || absl::IsOutOfRange(problem);
}

}  // namespace

Attempt::Attempt(const WorkerContext& context, LeaseRef lease, std::string directory)
    : context_(context), lease_(std::move(lease)), directory_(std::move(directory)) {}

std::string Attempt::Name() const {
  return absl::StrCat(lease_.task.str(), " attempt ", lease_.attempt);
}

void Attempt::Advance(AttemptEvent event) {
  const absl::StatusOr<AttemptPhase> next = NextPhase(phase_, event);
  if (!next.ok()) {
    WorkerLog(absl::StrCat(Name(), ": ", next.status().message()));
    return;
  }
  if (*next != phase_) WorkerLog(absl::StrCat(Name(), ": ", AttemptPhaseName(*next)));
  phase_ = *next;
}

bool Attempt::HasProcess() const {
  return phase_ == AttemptPhase::kStarting || phase_ == AttemptPhase::kRunning ||
         phase_ == AttemptPhase::kDiscarding;
}

void Attempt::EndWithoutProcess(AttemptEvent event, ProcessEvent end) {
  end_ = std::move(end);
  end_.lease = lease_;
  Advance(event);
}

void Attempt::Begin(const Grant& grant, const absl::StatusOr<Json>& spec) {
  absl::StatusOr<std::vector<std::string>> command = ResolveCommand(grant.command, context_.rules);
  const absl::Status problem = spec.ok() ? command.status() : spec.status();
  if (!problem.ok()) {
    return EndWithoutProcess(AttemptEvent::kPrepareFailed, {{},
                                                            ProcessEvent::Kind::kStartFailed,
                                                            0,
                                                            std::string(problem.message()),
                                                            /*retryable=*/false});
  }
  gpus_ = grant.gpus;
  gpu_uuids_ = context_.gpus->UuidsOf(gpus_);
  gpu_share_ = NumberAt(MemberAt(MemberAt(*spec, "resources"), "gpu_share"), "share", 1);
  cpus_ = static_cast<int>(IntegerAt(MemberAt(*spec, "resources"), "cpus", 1));
  launch_.directory = directory_;
  launch_.command = *std::move(command);
  launch_.environment =
      TrainerEnvironment(Path(attempt_files::kSpec), cpus_, gpus_, context_.gpus->offered());
  launch_.environment.emplace_back("SCM_DIGEST_CACHE", DigestCache());
  spec_ = FillSpec(*spec, Path(attempt_files::kWork), gpus_);
  Prepare();
}

void Attempt::Prepare() {
  preparing_ = true;
  context_.background([self = shared_from_this(), spec = spec_] {
    std::vector<std::string> inputs;
    const WorkerContext& context = self->context_;
    absl::Status status = CheckRoom(context.work_dir, context.min_free_bytes);
    if (status.ok()) {
      status = PrepareDirectory(self->directory_, self->DigestCache(), spec, self->lease_,
                                *context.client, *context.cache, inputs);
    }
    context.post([self, status, inputs] { self->OnPrepared(status, inputs); });
  });
}

void Attempt::OnPrepared(const absl::Status& status, std::vector<std::string> inputs) {
  preparing_ = false;
  Wake();
  inputs_.insert(inputs_.end(), inputs.begin(), inputs.end());  // an earlier try pinned some, too
  if (phase_ != AttemptPhase::kPreparing) return;               // stopped or lost meanwhile
  if (status.ok()) {
    // Now everything lies there that an argument may name, inputs included.
    const absl::Status allowed = CheckArguments(launch_.command, context_.rules, directory_);
    if (!allowed.ok()) return GiveUpPreparing(allowed, /*retryable=*/false);
    prepared_ = true;
  } else if (!WaitsForRoom(status)) {
    GiveUpPreparing(status, status.code() != absl::StatusCode::kInvalidArgument);
  }
}

bool Attempt::WaitsForRoom(const absl::Status& problem) {
  if (!IsAboutRoom(problem)) return false;
  room_problem_ = std::string(problem.message());
  const absl::Duration now = context_.clock->Steady();
  if (room_patience_ == absl::InfiniteDuration()) {
    room_patience_ = now + kRoomPatience;
    WorkerLog(absl::StrCat(Name(), ": waits for room: ", problem.message()));
  }
  next_try_ = now + kRoomPause;
  return now < room_patience_;
}

void Attempt::GiveUpPreparing(const absl::Status& problem, bool retryable) {
  ProcessEvent end{
      {}, ProcessEvent::Kind::kStartFailed, 0, std::string(problem.message()), retryable};
  // Given back, which costs the task no retry; but an input that does not fit (OUT_OF_RANGE) would
  // be tried here for ever.
  if (absl::IsResourceExhausted(problem)) {
    end.kind = ProcessEvent::Kind::kKilled;
    end.free = true;
  }
  EndWithoutProcess(AttemptEvent::kPrepareFailed, std::move(end));
}

void Attempt::GoOnPreparing() {
  if (preparing_ || context_.clock->Steady() < next_try_) return;
  if (prepared_) return TryLaunch();
  Prepare();
}

void Attempt::TryLaunch() {
  if (const std::string missing = context_.gpus->Missing(gpu_uuids_); !missing.empty()) {
    return GiveUpPreparing(absl::UnavailableError(missing), /*retryable=*/true);
  }
  // An attempt that is being killed may still hold what the coordinator counts as free.
  const std::optional<std::vector<int>> cores =
      context_.slots->Take(lease_.lease.str(), cpus_, gpus_, gpu_share_);
  waits_for_slots_ = !cores;
  if (!cores) return;
  const absl::Status started = Launch(*cores);
  if (started.ok()) {
    FollowReports();
    return Advance(AttemptEvent::kLaunched);
  }
  context_.slots->Release(lease_.lease.str());
  if (!WaitsForRoom(started)) GiveUpPreparing(started, /*retryable=*/true);
}

absl::Status Attempt::Launch(const std::vector<int>& cores) {
  launch_.cpus = cores;
  absl::Status status = context_.launcher->SetDeadline(directory_, context_.orphan_timeout);
  const Json record =
      LeaseRecord({lease_, launch_.command, cpus_, cores, gpus_, inputs_, gpu_uuids_, gpu_share_});
  if (status.ok()) {
    // From here on a restarted daemon knows of the attempt.
    status = WriteFileDurably(Path(attempt_files::kLease), DumpJson(record, 2) + "\n");
  }
  return status.ok() ? context_.launcher->Start(launch_) : status;
}

void Attempt::FollowReports() {
  reports_ = std::make_shared<AttemptReports>(context_, lease_, directory_, WakeIfThere());
}

std::function<void()> Attempt::WakeIfThere() {
  return [self = weak_from_this()] {
    if (const auto attempt = self.lock()) attempt->Wake();
  };
}

void Attempt::Reattach(const Json& json) {
  const AttemptRecord record = ReadLeaseRecord(json);
  cpus_ = record.cpus;
  gpus_ = record.gpus;
  gpu_uuids_ = record.gpu_uuids;
  gpu_share_ = record.gpu_share;
  for (size_t i = 0; i < std::min(gpus_.size(), gpu_uuids_.size()); ++i) {
    if (!gpu_uuids_[i].empty()) context_.gpus->Keep(gpu_uuids_[i], gpus_[i]);
  }
  inputs_ = record.inputs;
  for (const std::string& input : inputs_) context_.cache->Pin(input);
  context_.slots->Adopt(lease_.lease.str(), cpus_, record.cores, gpus_, gpu_share_);
  stop_ = ReadStop(Path(attempt_files::kStop));
  FollowReports();
  phase_ = AttemptPhase::kStarting;
  PollProcess();
}

void Attempt::OnCommand(const std::string& line) {
  Wake();
  const absl::StatusOr<Json> command = ParseJson(line, "command");
  if (!command.ok()) return WorkerLog(absl::StrCat(Name(), ": ", command.status().message()));
  const bool of_one_run = !StringAt(*command, "run").empty();
  if (StringAt(*command, "cmd") == "stop" && !of_one_run) {
    const double grace = NumberAt(*command, "grace_seconds", kDefaultGraceSeconds);
    return Stop({StringAt(*command, "reason"), std::max(0.0, grace), /*local=*/false}, line);
  }
  // The stop of one run waits for the process; its grace is the coordinator's to keep.
  const bool can_wait = of_one_run && phase_ == AttemptPhase::kPreparing;
  if ((HasProcess() || can_wait) && lines_.size() < kMaxPendingLines) lines_.push_back(line);
}

void Attempt::StopLocally(absl::Duration grace) {
  Wake();
  going_down_ = true;
  if (stop_) return LimitTo(grace);
  const Json line = {{"cmd", "stop"},
                     {"reason", "drain"},
                     {"checkpoint", true},
                     {"grace_seconds", absl::ToDoubleSeconds(grace)}};
  Stop({"drain", absl::ToDoubleSeconds(grace), /*local=*/true}, DumpJson(line));
}

void Attempt::Stop(StopInfo stop, const std::string& line) {
  if (phase_ == AttemptPhase::kPreparing) {
    ProcessEvent end{{}, ProcessEvent::Kind::kExited, 0, "stopped before it was started", false};
    if (stop.local) {
      end.kind = ProcessEvent::Kind::kKilled;
      end.message = "local shutdown of the worker";
      end.retryable = end.free = true;
    }
    return EndWithoutProcess(AttemptEvent::kStoppedEarly, end);
  }
  // Also of one that has ended already, and whose files are on their way.
  if ((stop.reason == "cancel" || stop.reason == "abort") && reports_ != nullptr) {
    reports_->GiveUpFiles();
  }
  if (phase_ != AttemptPhase::kStarting && phase_ != AttemptPhase::kRunning) return;
  WorkerLog(absl::StrCat(Name(), ": stop (", stop.reason, "), grace ", stop.grace_seconds, " s"));
  const Json record = {
      {"reason", stop.reason}, {"grace_seconds", stop.grace_seconds}, {"local", stop.local}};
  WriteFileAtomically(Path(attempt_files::kStop), DumpJson(record) + "\n").IgnoreError();
  LimitTo(absl::Seconds(stop.grace_seconds));
  stop_ = std::move(stop);
  if (lines_.size() < kMaxPendingLines) lines_.push_back(line);
  SendPendingLines();
}

// The shim keeps the grace, so a daemon that dies now changes nothing. A second stop may only
// shorten it.
void Attempt::LimitTo(absl::Duration grace) {
  const absl::Duration end = context_.clock->Steady() + grace;
  if (!HasProcess() || end >= stop_at_) return;
  stop_at_ = end;
  const absl::Status set = context_.launcher->SetDeadline(directory_, grace);
  if (!set.ok()) WorkerLog(absl::StrCat(Name(), ": ", set.message()));
}

void Attempt::SendPendingLines() {
  while (phase_ == AttemptPhase::kRunning && !lines_.empty()) {
    const absl::Status sent = context_.launcher->SendLine(directory_, lines_.front());
    if (sent.code() == absl::StatusCode::kUnavailable) return;
    if (!sent.ok()) WorkerLog(absl::StrCat(Name(), ": command not passed on: ", sent.message()));
    lines_.pop_front();
  }
}

void Attempt::OnAck(const Ack& ack) {
  if (!IsLive()) return;
  if (reports_ != nullptr) {
    // While it runs, acknowledgements must not set the pace at which its lines are collected.
    if (phase_ != AttemptPhase::kRunning || reports_->awaits_ack() || ack.resend) Wake();
    reports_->OnAck(ack.report_offset, ack.log_offset);
    if (ack.resend) reports_->Rewind();
  }
  if (!ack.done) return;
  Wake();
  Advance(AttemptEvent::kEndCommitted);
  if (phase_ == AttemptPhase::kDiscarding) {
    context_.launcher->SetDeadline(directory_, absl::ZeroDuration()).IgnoreError();
  }
}

void Attempt::OnLeaseLost(const std::string& reason) {
  if (!IsLive()) return;
  Wake();
  WorkerLog(absl::StrCat(Name(), ": its lease is gone: ", reason));
  Advance(AttemptEvent::kLeaseLost);
  if (phase_ != AttemptPhase::kDiscarding) return;
  const absl::Status set = context_.launcher->SetDeadline(directory_, absl::ZeroDuration());
  if (!set.ok()) WorkerLog(absl::StrCat(Name(), ": ", set.message()));
}

void Attempt::OnSession() {
  Wake();
  started_sent_ = end_sent_ = false;
  if (reports_ != nullptr) reports_->Rewind();
}

void Attempt::RefreshDeadline() {
  if (phase_ != AttemptPhase::kStarting && phase_ != AttemptPhase::kRunning) return;
  if (stop_ || killing_) return;
  const absl::Status set = context_.launcher->SetDeadline(directory_, context_.orphan_timeout);
  if (!set.ok()) WorkerLog(absl::StrCat(Name(), ": ", set.message()));
}

void Attempt::PollProcess() {
  // First, so that no change falls between the two.
  if (!watched_) watched_ = context_.launcher->Watch(directory_, WakeIfThere());
  const ProcessState state = context_.launcher->Poll(directory_);
  if (state.phase == ProcessState::Phase::kEnded) return OnProcessEnded(state.exit);
  if (state.phase == ProcessState::Phase::kRunning) {
    ran_ = true;
    Advance(AttemptEvent::kProcessRuns);
    SendPendingLines();
  }
  if (!IsLive()) return;
  reports_->Watch();
  if (!reports_->violation().empty()) Kill(reports_->violation());
  EndAfterLastWord();
}

void Attempt::Kill(const std::string& why) {
  if (killing_) return;
  killing_ = true;
  WorkerLog(absl::StrCat(Name(), ": ", why));
  context_.launcher->SetDeadline(directory_, absl::ZeroDuration()).IgnoreError();
}

absl::Duration Attempt::ExitGrace() const {
  return going_down_ ? std::min(kLastExitGrace, context_.exit_grace) : context_.exit_grace;
}

// What matters is said; a thread or child that hangs must not hold what the attempt holds.
void Attempt::EndAfterLastWord() {
  if (reports_->last_report().empty()) return;
  const absl::Duration grace = ExitGrace();
  if (reports_->Silence() < grace) return;
  Kill(absl::StrCat("still there ", HumanDuration(grace), " after it said \"",
                    reports_->last_report(), "\""));
}

bool Attempt::AwaitsGpus() const {
  return phase_ == AttemptPhase::kFlushing && !gpus_.empty() && !gpus_seen_ && lost_gpu_.empty() &&
         (exit_.exit_code != 0 || exit_.signal != 0 || reports_->last_report() == "failed") &&
         context_.clock->Steady() < gpu_patience_;
}

void Attempt::OnGpus(bool answered) {
  gpus_seen_ = gpus_seen_ || answered;
  if (answered) Wake();
  const std::string missing = context_.gpus->Missing(gpu_uuids_);
  if (missing.empty() || !IsLive() || phase_ == AttemptPhase::kReporting) return;
  lost_gpu_ = missing;
  Wake();
  if (HasProcess()) Kill(missing);
}

std::string Attempt::WaitingFor() const {
  if (phase_ != AttemptPhase::kPreparing) return reports_ != nullptr ? reports_->WaitingFor() : "";
  if (room_patience_ != absl::InfiniteDuration()) {
    return absl::StrCat("room: ", LineOf(room_problem_, 500));
  }
  return prepared_ ? "cores or GPUs that an attempt before it still holds" : "its inputs";
}

LeaseState Attempt::State() {
  LeaseState state{lease_, WaitingFor(), std::nullopt};
  if (phase_ == AttemptPhase::kRunning) {
    reports_->Watch();
    state.trainer_silent_seconds = absl::ToDoubleSeconds(reports_->Silence());
  } else if (phase_ == AttemptPhase::kFlushing || phase_ == AttemptPhase::kReporting) {
    state.trainer_silent_seconds = 0;  // it has nothing more to say; what it said is on its way
  }
  return state;
}

void Attempt::OnProcessEnded(const ExitRecord& exit) {
  ran_ = exit.ran;
  context_.launcher->Unwatch(directory_);
  context_.slots->Release(lease_.lease.str());
  Advance(AttemptEvent::kProcessEnded);
  exit_ = exit;
  gpu_patience_ = context_.clock->Steady() + kGpuPatience;
}

void Attempt::Report() {
  if (ran_ && !started_sent_) {
    started_sent_ =
        context_.client->Send(ProcessEvent{lease_, ProcessEvent::Kind::kStarted, 0, "", false});
    unsent_ = !started_sent_;
    if (unsent_) return;
  }
  if (reports_ != nullptr) {
    unsent_ = !reports_->Pump();
    if (phase_ == AttemptPhase::kFlushing && reports_->Flushed() && !AwaitsGpus()) {
      end_ = DescribeEnd(
          {exit_, stop_, reports_->last_report(), reports_->violation(), going_down_, lost_gpu_});
      end_.lease = lease_;
      Advance(AttemptEvent::kFlushed);
    }
  }
  if (phase_ != AttemptPhase::kReporting) return;
  if (!end_sent_) end_sent_ = context_.client->Send(end_);
  unsent_ = !end_sent_;
}

void Attempt::Proceed(bool connected) {
  awake_ = unsent_ = false;
  proceeded_at_ = context_.clock->Steady();
  if (phase_ == AttemptPhase::kPreparing) GoOnPreparing();
  if (HasProcess()) PollProcess();
  if (connected && IsLive() && phase_ != AttemptPhase::kPreparing) Report();
}

bool Attempt::MustRetry() const {
  return (HasProcess() && (!watched_ || !lines_.empty())) || unsent_;
}

absl::Duration Attempt::Due() const {
  if (awake_) return absl::ZeroDuration();
  if (phase_ == AttemptPhase::kPreparing) {
    return preparing_ || waits_for_slots_ ? absl::InfiniteDuration() : next_try_;
  }
  absl::Duration due = MustRetry() ? proceeded_at_ + kRetryPause : absl::InfiniteDuration();
  if (reports_ == nullptr || !IsLive()) return due;
  if (AwaitsGpus()) return std::min(due, gpu_patience_);
  if (phase_ == AttemptPhase::kFlushing) due = std::min(due, proceeded_at_ + kFlushPause);
  if (HasProcess() && !killing_ && !reports_->last_report().empty()) {
    due = std::min(due, reports_->written_at() + ExitGrace());
  }
  return std::min(due, reports_->Due(proceeded_at_));
}

void Attempt::CleanUp() {
  context_.launcher->Unwatch(directory_);
  context_.slots->Release(lease_.lease.str());
  for (const std::string& input : inputs_) context_.cache->Unpin(input);
  inputs_.clear();
  const absl::Status removed = RemoveRecursively(directory_);
  if (!removed.ok()) WorkerLog(absl::StrCat(Name(), ": ", removed.message()));
}

}  // namespace scm::worker
