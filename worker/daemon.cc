#include "worker/daemon.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "worker/attempt/prepare.h"
#include "worker/log.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {
namespace {

constexpr char kAttempts[] = "/attempts";
constexpr char kEnded[] = "/ended.json";
// SIGTERM and SIGKILL of the shim, and its record, after the grace.
constexpr absl::Duration kKillMargin = absl::Seconds(15);

}  // namespace

struct Daemon::MessageVisitor {
  Daemon& daemon;

  void On(const Registered& message) { daemon.OnRegistered(message); }
  void On(const Grant& message) { daemon.OnGrant(message); }
  void On(const Command& message) {
    if (Attempt* attempt = daemon.Find(message.lease)) attempt->OnCommand(message.json);
  }
  void On(const Ack& message) {
    Attempt* const attempt = daemon.Find(message.lease);
    if (attempt == nullptr) return;
    // Written down before it is forgotten.
    if (message.done && attempt->IsLive()) daemon.ended_.Add(message.lease);
    attempt->OnAck(message);
  }
  void On(const Revoke& message) {
    if (Attempt* attempt = daemon.Find(message.lease)) attempt->OnLeaseLost(message.reason);
  }
  void On(const Drain& message) {
    // Nothing to remember: the coordinator grants nothing to a worker that drains, and what it
    // grants afterwards shows that the drain is over.
    WorkerLog(absl::StrCat("draining: ", message.reason));
  }
  void On(const SessionEnded&) {}
};

Daemon::Daemon(Options options, const WorkerContext& context, GpuInventory& gpus)
    : options_(std::move(options)),
      context_(context),
      gpus_(gpus),
      session_(*context.client, *context.clock, StreamPurpose(options_.identity.instance),
               {[this] {
                  Register hello = options_.identity;
                  hello.gpus = context_.gpus->offered();
                  hello.live = LiveLeases();
                  for (const auto& [id, attempt] : attempts_) {
                    if (attempt->IsLive()) hello.acknowledged.push_back(attempt->acknowledged());
                  }
                  hello.ended = ended_.latest();
                  hello.orphan_timeout_seconds = absl::ToDoubleSeconds(context_.orphan_timeout);
                  return hello;
                },
                [this](const CoordinatorMessage& message) {
                  std::visit([&](const auto& each) { MessageVisitor{*this}.On(each); }, message);
                },
                context.post}),
      ended_(context.work_dir + kEnded) {}

absl::Status Daemon::Restore() {
  const std::string root = context_.work_dir + kAttempts;
  SCM_RETURN_IF_ERROR(MakeDirectories(root));
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(root));
  for (const std::string& name : names) {
    const std::string directory = absl::StrCat(root, "/", name);
    const absl::StatusOr<std::string> text =
        ReadFile(absl::StrCat(directory, "/", attempt_files::kLease));
    const absl::StatusOr<Json> record =
        text.ok() ? ParseJson(*text, directory) : absl::StatusOr<Json>(text.status());
    if (!record.ok()) {
      // Never started: the lease is written first. The coordinator sees that it is not live here.
      WorkerLog(absl::StrCat("removing ", directory, ", which was never started"));
      SCM_RETURN_IF_ERROR(RemoveRecursively(directory));
      continue;
    }
    const LeaseRef lease = ReadLeaseRecord(*record).lease;
    auto attempt = std::make_shared<Attempt>(context_, lease, directory);
    attempt->Reattach(*record);
    WorkerLog(absl::StrCat("found ", name, ", ", AttemptPhaseName(attempt->phase())));
    attempts_[lease.lease] = std::move(attempt);
  }
  return absl::OkStatus();
}

Attempt* Daemon::Find(const LeaseRef& lease) {
  const auto attempt = attempts_.find(lease.lease);
  const bool known = attempt != attempts_.end() && attempt->second->lease() == lease;
  return known ? attempt->second.get() : nullptr;
}

std::vector<LeaseRef> Daemon::LiveLeases() const {
  std::vector<LeaseRef> live;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->IsLive()) live.push_back(attempt->lease());
  }
  return live;
}

void Daemon::OnRegistered(const Registered& registered) {
  if (registered.renew_seconds > 0) renew_period_ = absl::Seconds(registered.renew_seconds);
  for (const auto& [id, attempt] : attempts_) {
    if (!attempt->IsLive()) continue;
    const bool kept = std::find(registered.kept.begin(), registered.kept.end(), attempt->lease()) !=
                      registered.kept.end();
    if (kept) {
      attempt->OnSession();
    } else {
      attempt->OnLeaseLost("the coordinator did not keep it at registration");
    }
  }
  Renew();
}

void Daemon::RefuseGrant(const LeaseRef& lease, const std::string& why) {
  WorkerLog(absl::StrCat(lease.task.str(), " attempt ", lease.attempt, " refused: ", why));
  context_.client->Send(
      ProcessEvent{lease, ProcessEvent::Kind::kStartFailed, 0, why, /*retryable=*/true});
}

void Daemon::OnGrant(const Grant& grant) {
  if (Find(grant.lease) != nullptr) return;  // said twice
  if (attempts_.count(grant.lease.lease) != 0) {
    return RefuseGrant(grant.lease, "an earlier lease of this number is still being ended here");
  }
  if (shutting_down_) {
    // Said before the coordinator knew. A refusal would cost the task a retry, and it would be
    // granted here again at once; the goodbye gives it back for nothing.
    return WorkerLog(absl::StrCat(grant.lease.task.str(), " attempt ", grant.lease.attempt,
                                  " was granted while shutting down; it is not started"));
  }
  absl::StatusOr<Json> spec = ParseJson(grant.spec_json, "the lease's SCM_SPEC");
  if (spec.ok() && !spec->is_object()) {
    spec = absl::InvalidArgumentError("the lease's SCM_SPEC is not a JSON object");
  }
  const absl::StatusOr<std::string> name =
      AttemptName(grant.lease, spec.ok() ? *spec : Json::object());
  if (!name.ok()) return RefuseGrant(grant.lease, std::string(name.status().message()));
  const std::string directory = absl::StrCat(context_.work_dir, kAttempts, "/", *name);
  for (const auto& [id, other] : attempts_) {
    if (other->directory() == directory) {
      return RefuseGrant(grant.lease, "an earlier lease of this attempt is still being ended here");
    }
  }
  auto attempt = std::make_shared<Attempt>(context_, grant.lease, directory);
  attempts_[grant.lease.lease] = attempt;
  WorkerLog(absl::StrCat("granted ", *name));
  attempt->Begin(grant, spec);
}

void Daemon::Renew() {
  next_renew_ = context_.clock->Steady() + renew_period_;
  scm::worker::Renew renew{LiveLeases(), gpu_samples_, shutting_down_};
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->IsLive()) renew.states.push_back(attempt->State());
  }
  renew.clock_jump_seconds = absl::ToDoubleSeconds(jumped_);
  renew.gpu_news = gpu_news_;
  if (context_.client->Send(std::move(renew))) {
    jumped_ = absl::ZeroDuration();
    gpu_news_.reset();
  }
  // Not the renewal but the session shows that the coordinator is there; a dead connection ends it
  // within the keep-alive's time.
  for (const auto& [id, attempt] : attempts_) attempt->RefreshDeadline();
  LookAtGpus();
}

void Daemon::LookAtGpus() {
  // A broken GPU can block its driver; this must not hold up the leases.
  if (looking_) return;
  looking_ = true;
  std::vector<std::shared_ptr<Attempt>> waiting;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->AwaitsGpus()) waiting.push_back(attempt);
  }
  context_.background([this, gpus = &gpus_, post = context_.post, waiting = std::move(waiting),
                       alive = std::weak_ptr<const bool>(alive_)] {
    std::optional<std::vector<Gpu>> listed = gpus->Look();
    std::vector<GpuSample> samples = gpus->Sample();
    post([this, alive, listed = std::move(listed), samples = std::move(samples), waiting] {
      if (alive.expired()) return;
      looking_ = false;
      OnGpus(listed, samples);
      for (const std::shared_ptr<Attempt>& attempt : waiting) attempt->OnGpus(/*answered=*/true);
    });
  });
}

void Daemon::OnGpus(const std::optional<std::vector<Gpu>>& listed, std::vector<GpuSample> samples) {
  if (listed) {
    const std::vector<std::string> news = context_.gpus->Observe(*listed);
    for (const std::string& sentence : news) WorkerLog(sentence);
    if (!news.empty()) {
      gpu_news_ =
          GpuNews{context_.gpus->offered(),
                  absl::StrCat(gpu_news_ ? gpu_news_->text + "; " : "", absl::StrJoin(news, "; "))};
      for (const auto& [id, attempt] : attempts_) attempt->OnGpus(/*answered=*/false);
      next_renew_ = context_.clock->Steady();
    }
  }
  gpu_samples_.clear();
  for (GpuSample& sample : samples) {
    const std::optional<int> index = context_.gpus->IndexOf(sample.uuid);
    sample.index = index.value_or(sample.index);
    gpu_samples_.push_back(std::move(sample));
  }
}

void Daemon::ForgetEnded() {
  for (auto entry = attempts_.begin(); entry != attempts_.end();) {
    const std::shared_ptr<Attempt> attempt = entry->second;
    if (attempt->IsForgettable()) {
      attempt->CleanUp();
      entry = attempts_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void Daemon::NoticeWallClockJump() {
  const absl::Duration jump = wall_clock_.Observe(context_.clock->Now(), context_.clock->Steady());
  if (jump == absl::ZeroDuration()) return;
  WorkerLog(ClockJumpText(jump));
  jumped_ += jump;
}

void Daemon::ProceedWithAttempts() {
  if (releases_ != context_.slots->releases()) {
    releases_ = context_.slots->releases();
    for (const auto& [id, attempt] : attempts_) {
      if (attempt->WaitsForSlots()) attempt->Wake();
    }
  }
  const absl::Duration now = context_.clock->Steady();
  for (const auto& [id, attempt] : attempts_) {
    if (attempt->Due() <= now) attempt->Proceed(session_.registered());
  }
  if (std::any_of(attempts_.begin(), attempts_.end(),
                  [](const auto& entry) { return entry.second->AwaitsGpus(); })) {
    LookAtGpus();
  }
}

void Daemon::Proceed() {
  NoticeWallClockJump();
  session_.Proceed();
  if (session_.registered() && context_.clock->Steady() >= next_renew_) Renew();
  ProceedWithAttempts();
  ForgetEnded();
  if (shutting_down_) GoOnShuttingDown();
}

absl::Duration Daemon::Due() const {
  absl::Duration due = session_.Due();
  if (session_.registered()) due = std::min(due, next_renew_);
  if (releases_ != context_.slots->releases()) due = absl::ZeroDuration();
  for (const auto& [id, attempt] : attempts_) due = std::min(due, attempt->Due());
  if (!shutting_down_) return due;
  const bool stopping = !goodbye_sent_ && context_.clock->Steady() < stop_deadline_;
  return std::min(due, stopping ? stop_deadline_ : flush_deadline_);
}

void Daemon::Shutdown(const std::string& reason) {
  if (shutting_down_) return;
  shutting_down_ = true;
  shutdown_reason_ = reason;
  WorkerLog(absl::StrCat("shutting down (", reason, "): ", attempts_.size(), " attempts"));
  stop_deadline_ = context_.clock->Steady() + options_.shutdown_grace + kKillMargin;
  flush_deadline_ = stop_deadline_ + options_.shutdown_flush;
  // First of all, or what these attempts give back would be granted here again.
  if (session_.registered()) Renew();
  for (const auto& [id, attempt] : attempts_) attempt->StopLocally(options_.shutdown_grace);
}

void Daemon::GoOnShuttingDown() {
  const absl::Duration now = context_.clock->Steady();
  if (!goodbye_sent_) {
    const bool processes = std::any_of(attempts_.begin(), attempts_.end(),
                                       [](const auto& a) { return a.second->HasProcess(); });
    if (processes && now < stop_deadline_) return;
    // With nobody to tell, what is left unsaid is said after the next start.
    if (!attempts_.empty() && session_.registered() && now < flush_deadline_) return;
    goodbye_sent_ = true;
    if (session_.registered()) context_.client->Send(Goodbye{shutdown_reason_});
    session_.Close();
    flush_deadline_ = now + absl::Seconds(5);
  }
  if (session_.closed() || now >= flush_deadline_) finished_ = true;
}

}  // namespace scm::worker
