#include "tests/coordinator/controller/sim_worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace scm::simulation {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(500);
constexpr absl::Duration kRenew = absl::Seconds(5);
constexpr absl::Duration kRedial = absl::Seconds(2);
constexpr absl::Duration kUploadRetry = absl::Seconds(1);
constexpr int kMaxRefusals = 4;
constexpr size_t kMaxBatch = 600;  // small, so that reports come in many pieces

}  // namespace

SimWorker::SimWorker(VirtualTime* time, std::string instance, int64_t cpus, int64_t gpus,
                     Hooks hooks)
    : time_(*time),
      instance_(std::move(instance)),
      cpus_(cpus),
      gpus_(gpus),
      hooks_(std::move(hooks)) {}

void SimWorker::Start() {
  if (up_) return;
  up_ = true;
  registered_ = false;
  link_ = 0;
  ++life_;
  Tick(life_);
}

void SimWorker::Crash() {
  up_ = false;
  attempts_.clear();
  inbox_.clear();
  registered_ = false;
  frozen_until_ = cut_until_ = absl::InfinitePast();
}

void SimWorker::Shutdown() {
  if (!up_) return;
  if (registered_) Send(controller::RenewInput{id_, Live(), {}, /*leaving=*/true});
  if (registered_) Send(controller::GoodbyeInput{id_, "the simulation wants it"});
  Crash();
}

void SimWorker::Cut(absl::Duration duration) {
  cut_until_ = time_.now() + duration;
  registered_ = false;
}

void SimWorker::Freeze(absl::Duration duration) { frozen_until_ = time_.now() + duration; }

void SimWorker::OnLinkDown(int64_t link) {
  if (link != link_) return;
  link_ = 0;
  registered_ = false;
}

void SimWorker::Send(controller::Input input) {
  if (time_.now() < cut_until_ || !hooks_.send(link_, std::move(input))) registered_ = false;
}

std::vector<LeaseRef> SimWorker::Live() const {
  std::vector<LeaseRef> live;
  for (const auto& [id, attempt] : attempts_) live.push_back(attempt.lease);
  return live;
}

void SimWorker::Register() {
  link_ = hooks_.dial(this);
  if (link_ == 0) return;
  controller::RegisterInput hello;
  hello.link = link_;
  hello.instance = instance_;
  hello.host = "host-" + instance_;
  hello.cpus = cpus_;
  for (int i = 0; i < gpus_; ++i) hello.gpus.push_back({i, "H200", kSimulatedGpuGib << 30, 0, 0});
  hello.live = Live();
  hooks_.send(link_, std::move(hello));
}

void SimWorker::Tick(int64_t life) {
  if (life != life_ || !up_) return;
  const absl::Time now = time_.now();
  time_.After(kTick, [this, life] { Tick(life); });
  if (now < frozen_until_) return;
  for (const auto& [link, output] : std::exchange(inbox_, {})) OnOutput(link, output);
  if (!registered_ && now >= cut_until_ && now >= next_dial_) {
    next_dial_ = now + kRedial;
    Register();
  }
  if (registered_) {
    if (now >= next_renew_) {
      next_renew_ = now + kRenew;
      Send(controller::RenewInput{id_, Live(), {}});
    }
    for (auto& [id, attempt] : attempts_) {
      if (registered_) Pump(attempt);
    }
  }
}

void SimWorker::Pump(Attempt& attempt) {
  if (!attempt.started_sent) {
    attempt.started_sent = true;
    Send(controller::ProcessInput{id_, attempt.lease, controller::ProcessInput::Kind::kStarted, 0,
                                  "", false});
  }
  const std::string& spool = attempt.trainer->spool();
  while (!attempt.uploading && !attempt.violation &&
         attempt.sent < static_cast<int64_t>(spool.size())) {
    size_t end = static_cast<size_t>(attempt.sent);
    while (end < spool.size() && end - static_cast<size_t>(attempt.sent) < kMaxBatch) {
      const size_t newline = spool.find('\n', end);
      const Json report = *ParseJson(spool.substr(end, newline - end), "spool");
      const std::string type = StringAt(report, "type");
      const int64_t line_end = static_cast<int64_t>(newline) + 1;
      if ((type == "checkpoint" || type == "artifact") && line_end > attempt.uploaded) {
        if (end > static_cast<size_t>(attempt.sent)) break;
        if (attempt.acked == attempt.sent) Upload(attempt, report, line_end);
        return;
      }
      end = static_cast<size_t>(line_end);
    }
    const int64_t from = attempt.sent;
    attempt.sent = static_cast<int64_t>(end);
    Send(
        controller::ReportsInput{id_, attempt.lease, from,
                                 core::ReadReportLines(absl::string_view(spool).substr(
                                     static_cast<size_t>(from), end - static_cast<size_t>(from)))});
    if (!registered_) return;
  }
  const bool flushed = attempt.violation || attempt.acked == static_cast<int64_t>(spool.size());
  if (attempt.trainer->exit_code() && flushed && !attempt.end_sent) {
    attempt.end_sent = true;
    Send(controller::ProcessInput{id_, attempt.lease, controller::ProcessInput::Kind::kExited,
                                  *attempt.trainer->exit_code(), "", false});
  }
}

void SimWorker::Upload(Attempt& attempt, const Json& report, int64_t line_end) {
  attempt.uploading = true;
  const bool checkpoint = StringAt(report, "type") == "checkpoint";
  const int64_t step = IntegerAt(report, "step", 0);
  const std::string name = StringAt(report, "run");
  Json run = MemberAt(attempt.spec, "run");
  Json parameters = MemberAt(attempt.spec, "parameters");
  for (const Json& packed : MemberAt(attempt.spec, "runs")) {
    if (StringAt(packed, "id") != name) continue;
    run = packed;
    parameters = MemberAt(packed, "parameters");
  }
  const std::string content = checkpoint
                                  ? absl::StrCat("seed ", IntegerAt(run, "seed", 0), " step ", step,
                                                 MemberAt(parameters, "training").dump())
                                  : absl::StrCat(attempt.lease.task.str(), " result");
  hooks_.upload(
      attempt.lease, checkpoint, step, StringAt(report, "name"), name, content,
      [this, life = life_, id = attempt.lease.lease, line_end](const absl::Status& status) {
        const auto found = attempts_.find(id);
        if (life != life_ || found == attempts_.end()) return;
        Attempt& mine = found->second;
        if (status.ok()) {
          mine.uploading = false;
          mine.uploaded = line_end;
          return;
        }
        const bool transient = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
        if (!transient && ++mine.refusals >= kMaxRefusals) {
          mine.violation = true;
          mine.trainer->Kill();
          return;
        }
        time_.After(kUploadRetry, [this, life, id] {
          const auto again = attempts_.find(id);
          if (life == life_ && again != attempts_.end()) again->second.uploading = false;
        });
      });
}

void SimWorker::Work(int64_t life, const LeaseId& id) {
  const auto found = attempts_.find(id);
  if (life != life_ || found == attempts_.end()) return;
  SimTrainer& trainer = *found->second.trainer;
  trainer.Work();
  if (trainer.exit_code()) return;
  time_.After(absl::Seconds(trainer.seconds_per_step()), [this, life, id] { Work(life, id); });
}

void SimWorker::OnGrant(const controller::GrantOutput& grant) {
  if (attempts_.contains(grant.lease.lease)) return;
  const Json spec = *ParseJson(grant.spec_json, "spec");
  Attempt& attempt = attempts_[grant.lease.lease];
  attempt.lease = grant.lease;
  attempt.spec = spec;
  attempt.trainer = std::make_unique<SimTrainer>(spec, hooks_.fault_of(spec));
  time_.After(absl::Seconds(1), [this, life = life_, id = grant.lease.lease] { Work(life, id); });
}

void SimWorker::OnCommand(const controller::CommandOutput& command) {
  const auto found = attempts_.find(command.lease.lease);
  if (found == attempts_.end()) return;
  const Json stop = *ParseJson(command.json, "command");
  // Its grace is the coordinator's to keep.
  if (const std::string run = StringAt(stop, "run"); !run.empty()) {
    return found->second.trainer->StopRun(run);
  }
  found->second.trainer->Stop(BoolAt(stop, "checkpoint", false));
  if (std::exchange(found->second.stopped, true)) return;
  time_.After(absl::Seconds(NumberAt(stop, "grace_seconds", 30) + 10),
              [this, life = life_, id = command.lease.lease] {
                const auto late = attempts_.find(id);
                if (life != life_ || late == attempts_.end()) return;
                if (!late->second.trainer->exit_code()) late->second.trainer->Kill();
              });
}

void SimWorker::OnOutput(int64_t link, const controller::Output& output) {
  if (!up_ || link != link_ || time_.now() < cut_until_) return;
  if (time_.now() < frozen_until_) return inbox_.emplace_back(link, output), void();
  if (const auto* registered = std::get_if<controller::RegisteredOutput>(&output)) {
    registered_ = true;
    id_ = registered->worker;
    std::erase_if(attempts_, [&](const auto& entry) {
      return std::find(registered->kept.begin(), registered->kept.end(), entry.second.lease) ==
             registered->kept.end();
    });
    for (auto& [id, attempt] : attempts_) {
      attempt.sent = attempt.acked;
      attempt.started_sent = attempt.end_sent = false;
    }
    next_renew_ = time_.now();
  }
  if (!registered_) return;
  if (const auto* grant = std::get_if<controller::GrantOutput>(&output)) OnGrant(*grant);
  if (const auto* command = std::get_if<controller::CommandOutput>(&output)) OnCommand(*command);
  if (const auto* revoke = std::get_if<controller::RevokeOutput>(&output)) {
    const auto found = attempts_.find(revoke->lease.lease);
    if (found != attempts_.end() && found->second.lease == revoke->lease) attempts_.erase(found);
  }
  if (const auto* ack = std::get_if<controller::AckOutput>(&output)) {
    const auto found = attempts_.find(ack->lease.lease);
    if (found == attempts_.end() || !(found->second.lease == ack->lease)) return;
    found->second.acked = std::max(found->second.acked, ack->report_offset);
    found->second.sent = std::max(found->second.sent, found->second.acked);
    if (ack->done) attempts_.erase(found);
  }
}

}  // namespace scm::simulation
