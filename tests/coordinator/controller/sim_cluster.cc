#include "tests/coordinator/controller/sim_cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "coordinator/controller/uploads.h"
#include "coordinator/state/persist.h"

namespace scm::simulation {
namespace {

constexpr size_t kMaxOldMessages = 300;
constexpr size_t kMaxProblems = 20;

const LeaseRef* LeaseOf(const controller::Input& input) {
  if (const auto* reports = std::get_if<controller::ReportsInput>(&input)) return &reports->lease;
  if (const auto* process = std::get_if<controller::ProcessInput>(&input)) return &process->lease;
  if (const auto* blob = std::get_if<controller::BlobInput>(&input)) return &blob->lease;
  return nullptr;
}

std::string FirstDifference(const std::string& a, const std::string& b) {
  const std::vector<std::string> left = absl::StrSplit(a, '\n'), right = absl::StrSplit(b, '\n');
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::string l = i < left.size() ? left[i] : "", r = i < right.size() ? right[i] : "";
    if (l != r) return absl::StrCat(l, "\n", r);
  }
  return "";
}

// Whether both hold the very same records: nothing was even copied to be changed.
bool SameRecords(const state::Snapshot& a, const state::Snapshot& b) {
  return *a.experiments == *b.experiments && *a.trials == *b.trials && *a.runs == *b.runs &&
         *a.tasks == *b.tasks && *a.checkpoints == *b.checkpoints && *a.artifacts == *b.artifacts &&
         *a.certificates == *b.certificates;
}

}  // namespace

SimCluster::SimCluster(Scenario scenario)
    : scenario_(std::move(scenario)), rng_(scenario_.seed, "simulation"), began_(time_.now()) {
  SimWorker::Hooks hooks;
  hooks.send = [this](int64_t link, controller::Input input) {
    return Receive(link, std::move(input));
  };
  hooks.dial = [this](SimWorker* worker) { return Dial(worker); };
  hooks.upload = [this](const LeaseRef& lease, bool checkpoint, int64_t step,
                        const std::string& name, const std::string& run, const std::string& content,
                        UploadDone done) {
    Upload(lease, checkpoint, step, name, run, content, std::move(done));
  };
  hooks.fault_of = [this](const Json& spec) { return FaultOf(spec); };
  for (const Scenario::Host& host : scenario_.hosts) {
    workers_.push_back(std::make_unique<SimWorker>(
        &time_, absl::StrCat("instance-", workers_.size()), host.cpus, host.gpus, hooks));
  }
}

void SimCluster::Problem(std::string text) {
  if (problems_.size() >= kMaxProblems) return;
  problems_.push_back(absl::StrCat("seed ", scenario_.seed, ", ",
                                   absl::FormatDuration(time_.now() - began_), ": ", text));
}

// ---- the coordinator's process ------------------------------------------------------------------

void SimCluster::StartCoordinator() {
  if (controller_ != nullptr) return;
  ++life_;
  controller::ControllerOptions options;
  options.version = "simulated";
  controller_ = std::make_unique<controller::Controller>(
      options, controller::ControllerDependencies{&faulty_, &blobs_, &checked_scheduler_, &links_,
                                                  &journal_});
  const absl::Status recovered = controller_->Recover(time_.Clocks(), "simulated");
  if (!recovered.ok()) {
    must_match_ = must_match_ && !error_is_applied_;
    return StopCoordinator(absl::Seconds(5));
  }
  if (last_ != nullptr && must_match_ && Dump(*last_) != Dump(*controller_->snapshot())) {
    Problem("the state after a restart is not the state before it:\n" +
            FirstDifference(Dump(*last_), Dump(*controller_->snapshot())));
  }
  must_match_ = true;
  AfterCommit();
  for (const auto& [id, checkpoint] : *last_->checkpoints) {
    if (!checkpoint->deleted && !blobs_.Find(id).ok()) Problem(absl::StrCat(id, " has no files"));
  }
  Round(life_);
}

void SimCluster::StopCoordinator(absl::Duration down) {
  if (controller_ == nullptr) return;
  ++restarts_;
  ++life_;
  std::deque<Item> lost;
  lost.swap(queue_);
  controller_.reset();
  awake_ = false;
  store_full_ = false;
  for (Item& item : lost) {
    if (item.done) item.done(absl::UnavailableError("the coordinator died"));
  }
  for (const auto& [link, worker] : std::exchange(open_links_, {})) worker->OnLinkDown(link);
  // Calls that were handled and not answered break with their connection.
  for (const auto& [call, done] : std::exchange(uploads_, {})) {
    time_.After(Latency(), [done] { done(absl::UnavailableError("the connection broke")); });
  }
  time_.After(down, [this] { StartCoordinator(); });
}

void SimCluster::Wake() {
  if (std::exchange(awake_, true)) return;
  time_.After(absl::Milliseconds(1 + rng_.Below(20)), [this, life = life_] {
    if (life == life_) Round(life);
  });
}

// As ControllerLoop has it: while the disk is full, only the commit is tried again.
void SimCluster::Round(int64_t life) {
  if (life != life_ || controller_ == nullptr) return;
  if (time_.now() < frozen_until_) {
    return time_.After(frozen_until_ - time_.now(), [this, life] { Round(life); });
  }
  const bool woken = std::exchange(awake_, false);
  if (!woken) time_.After(absl::Seconds(1), [this, life] { Round(life); });
  ++rounds_;
  if (!store_full_) {
    std::deque<Item> items;
    items.swap(queue_);
    for (Item& item : items) {
      controller_->Handle(item.input, time_.Clocks(), std::move(item.done));
    }
    controller_->Tick(time_.Clocks());
  }
  Flush();
}

bool SimCluster::Flush() {
  const absl::Status status = controller_->Flush(time_.Clocks());
  store_full_ = absl::IsResourceExhausted(status);
  if (status.ok()) {
    AfterCommit();
    return true;
  }
  if (store_full_) {
    if (!controller_->snapshot()->store_full) Problem("a full disk is not shown");
    return false;
  }
  must_match_ = !error_is_applied_;  // what was not answered may still have been written
  StopCoordinator(Between(1, 40));
  return false;
}

void SimCluster::AfterCommit() {
  const std::shared_ptr<const state::Snapshot> now = controller_->snapshot();
  for (std::string& problem : checker_.Check(last_.get(), *now)) Problem(std::move(problem));
  for (std::string& problem : std::exchange(checked_scheduler_.problems, {})) {
    Problem(std::move(problem));
  }
  last_ = now;
  blobs_.committed.clear();
  for (const auto& [id, record] : *now->checkpoints) blobs_.committed.insert(id);
  for (const auto& [id, record] : *now->artifacts) blobs_.committed.insert(id);
}

void SimCluster::Post(controller::Input input, controller::Controller::Done done) {
  if (controller_ == nullptr) {
    if (done) done(absl::UnavailableError("no coordinator"));
    return;
  }
  queue_.push_back({std::move(input), std::move(done)});
  if (!store_full_) Wake();
}

// ---- the network
// ----------------------------------------------------------------------------------

int64_t SimCluster::Dial(SimWorker* worker) {
  if (controller_ == nullptr) return 0;
  for (auto it = open_links_.begin(); it != open_links_.end();) {
    if (it->second != worker) {
      ++it;
      continue;
    }
    // The old stream is found dead some time after the new one began.
    time_.After(Between(0, 20), [this, link = it->first, life = life_] {
      if (life == life_) Post(controller::LinkLostInput{link});
    });
    it = open_links_.erase(it);
  }
  open_links_[++next_link_] = worker;
  return next_link_;
}

bool SimCluster::Receive(int64_t link, controller::Input input) {
  if (controller_ == nullptr || !open_links_.contains(link)) return false;
  if (LeaseOf(input) != nullptr) {
    if (old_messages_.size() < kMaxOldMessages) {
      old_messages_.push_back(input);
    } else {
      old_messages_[rng_.Below(kMaxOldMessages)] = input;
    }
  }
  // One delay a link, so that a stream keeps its order.
  const absl::Duration delay = absl::Milliseconds(5 + 7 * (link % 13));
  const int copies = FaultsOn() && rng_.Uniform() < 0.02 ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    if (copy > 0) ++played_["doubled message"];
    time_.After(copy == 0 ? delay : delay + Between(0, 30), [this, life = life_, input] {
      if (life == life_) Post(input);
    });
  }
  return true;
}

void SimCluster::Deliver(int64_t link, const controller::Output& output) {
  if (const auto* grant = std::get_if<controller::GrantOutput>(&output)) {
    int64_t& epoch = granted_epochs_[grant->lease.task];
    // The ranks of an attempt share their epoch; the first is granted first.
    if (grant->lease.rank == 0 ? grant->lease.epoch <= epoch : grant->lease.epoch != epoch) {
      Problem(absl::StrCat("epoch ", grant->lease.epoch, " of ", grant->lease.task.str(),
                           " was granted after epoch ", epoch));
    }
    epoch = grant->lease.epoch;
  }
  time_.After(absl::Milliseconds(5 + 5 * (link % 11)), [this, link, output] {
    const auto found = open_links_.find(link);
    if (found != open_links_.end()) found->second->OnOutput(link, output);
  });
}

void SimCluster::Upload(const LeaseRef& lease, bool checkpoint, int64_t step,
                        const std::string& name, const std::string& run, const std::string& content,
                        UploadDone done) {
  const int64_t call = ++next_upload_;
  uploads_[call] = std::move(done);
  const auto answer = [this, call](const absl::StatusOr<controller::Reply>& reply) {
    const auto waiting = uploads_.extract(call);
    if (waiting.empty()) return;
    time_.After(Latency(), [done = waiting.mapped(), status = reply.status()] { done(status); });
  };
  if (controller_ == nullptr || store_full_) return answer(absl::UnavailableError("not now"));
  const auto task = last_->tasks->find(lease.task);
  if (task == last_->tasks->end() || !task->second->attempt ||
      task->second->attempt->epoch != lease.epoch) {
    return answer(absl::FailedPreconditionError("stale"));
  }
  checkpoint::Manifest manifest;
  if (checkpoint) {
    const absl::StatusOr<RunId> owner = controller::RunOfUpload(*task->second, RunId(run));
    if (!owner.ok()) return answer(owner.status());
    manifest.id = absl::StrCat(owner->str(), "/", step);
  } else {
    manifest.id = absl::StrCat(lease.task.str(), "/", name);
  }
  manifest.attempt = lease.attempt;
  manifest.epoch = lease.epoch;
  manifest.step = step;
  manifest.files.push_back({"data", static_cast<int64_t>(content.size()), Sha256Hex(content), 0});
  auto writer = blobs_.Begin(manifest);
  if (!writer.ok()) return answer(writer.status());
  (*writer)->Append("data", 0, content).IgnoreError();
  absl::StatusOr<checkpoint::CommittedBlob> blob = (*writer)->Commit();
  if (!blob.ok()) return answer(blob.status());
  const controller::BlobInput input{
      lease,     checkpoint, step, name, *std::move(blob), task->second->attempt->ranks[0].worker,
      RunId(run)};
  if (old_messages_.size() < kMaxOldMessages) old_messages_.push_back(input);
  time_.After(Latency(), [this, life = life_, input, answer] {
    if (life != life_) return answer(absl::UnavailableError("the connection broke"));
    Post(input, answer);
  });
}

bool SimCluster::IsStale(const controller::Input& input) const {
  const LeaseRef& lease = *LeaseOf(input);
  const auto task = last_->tasks->find(lease.task);
  return task == last_->tasks->end() || !task->second->attempt ||
         task->second->attempt->ranks.size() <= static_cast<size_t>(lease.rank) ||
         task->second->attempt->ranks[lease.rank].id != lease.lease ||
         task->second->attempt->epoch != lease.epoch;
}

// ---- the plan
// -------------------------------------------------------------------------------------

FaultAt SimCluster::FaultOf(const Json& spec) {
  if (!FaultsOn() || rng_.Uniform() >= scenario_.trainer_fault) return {};
  constexpr TrainerFault kHarmless[] = {TrainerFault::kCrash, TrainerFault::kInfrastructure,
                                        TrainerFault::kIgnoreStop};
  constexpr TrainerFault kAll[] = {TrainerFault::kCrash,       TrainerFault::kInfrastructure,
                                   TrainerFault::kIgnoreStop,  TrainerFault::kCrash,
                                   TrainerFault::kOutOfMemory, TrainerFault::kBadInput,
                                   TrainerFault::kDiverged,    TrainerFault::kNaN,
                                   TrainerFault::kHang};
  FaultAt fault;
  fault.kind = scenario_.harmless ? kHarmless[rng_.Below(std::size(kHarmless))]
                                  : kAll[rng_.Below(std::size(kAll))];
  fault.step = 1 + static_cast<int64_t>(rng_.Below(20));
  ++played_[absl::StrCat("trainer fault ", static_cast<int>(fault.kind))];
  return fault;
}

void SimCluster::NextFault() {
  const double mean = absl::ToDoubleSeconds(scenario_.fault_every);
  time_.After(absl::Seconds(mean * (0.2 + 1.6 * rng_.Uniform())), [this] {
    if (!FaultsOn()) return Heal();
    PlayFault();
    NextFault();
  });
}

void SimCluster::PlayFault() {
  SimWorker& worker = *workers_[rng_.Below(workers_.size())];
  const auto note = [this](const char* what) { ++played_[what]; };
  switch (rng_.Below(scenario_.user_acts ? 12 : 10)) {
    case 0:
      note("worker crash");
      worker.Crash();
      time_.After(Between(1, 120), [&worker] { worker.Start(); });
      break;
    case 1:
      note("worker shutdown");
      worker.Shutdown();
      time_.After(Between(1, 60), [&worker] { worker.Start(); });
      break;
    case 2:
      note("network cut");
      worker.Cut(Between(1, 90));
      break;
    case 3:
      note("worker frozen");
      worker.Freeze(Between(1, 90));
      break;
    case 4:
      note("coordinator killed");
      StopCoordinator(Between(1, 50));
      break;
    case 5: {
      note("store error");
      const bool applied = rng_.Uniform() < 0.5;
      error_is_applied_ = applied;
      faulty_.FailCall(faulty_.calls() + 1 + static_cast<int64_t>(rng_.Below(5)),
                       absl::InternalError("injected"), applied);
      break;
    }
    case 6:
      note("disk full");
      faulty_.FillDiskAt(faulty_.calls() + 1 + static_cast<int64_t>(rng_.Below(5)));
      time_.After(Between(1, 60), [this] { faulty_.Recover(); });
      break;
    case 7: {
      // Late messages, some of leases that are long gone: those must change nothing.
      if (controller_ == nullptr || store_full_ || old_messages_.empty()) return;
      if (time_.now() < frozen_until_) return;
      for (int i = 0; i < 10 && controller_ != nullptr; ++i) {
        const controller::Input& old = old_messages_[rng_.Below(old_messages_.size())];
        controller_->Tick(time_.Clocks());  // what time alone changes comes first
        if (!Flush()) return;
        if (!IsStale(old)) continue;
        note("stale message");
        const std::shared_ptr<const state::Snapshot> before = last_;
        bool refused = false;
        controller_->Handle(
            old, time_.Clocks(),
            [&](const absl::StatusOr<controller::Reply>& reply) { refused = !reply.ok(); });
        if (!Flush()) return;
        if (!SameRecords(*before, *last_)) Problem("a stale message changed something");
        if (std::holds_alternative<controller::BlobInput>(old) && !refused) {
          Problem("a stale upload was not refused");
        }
      }
      break;
    }
    case 8:
      note("wall clock set");
      time_.SetWall(absl::Hours(1 + static_cast<int64_t>(rng_.Below(100))) *
                    (rng_.Below(2) == 0 ? 1 : -1));
      break;
    case 9:
      note("coordinator frozen");
      Freeze(Between(1, 120));
      break;
    default:
      PlayUser();
  }
}

void SimCluster::PlayUser() {
  if (last_ == nullptr || last_->experiments->empty()) return;
  auto experiment = last_->experiments->begin();
  std::advance(experiment, rng_.Below(last_->experiments->size()));
  const std::string id = experiment->first.str();
  const SimWorker& worker = *workers_[rng_.Below(workers_.size())];
  const auto act = [&](controller::ControlVerb verb, const std::string& name) {
    ++played_[absl::StrCat("user verb ", static_cast<int>(verb))];
    Post(controller::ControlInput{verb, name, false});
  };
  switch (rng_.Below(scenario_.harmless ? 5 : 6)) {
    case 0:
      act(controller::ControlVerb::kPause, id);
      time_.After(Between(1, 60), [this, id] {
        Post(controller::ControlInput{controller::ControlVerb::kResume, id, false});
      });
      break;
    case 1:
      act(controller::ControlVerb::kPause, id);
      act(controller::ControlVerb::kPause, id);
      break;
    case 2:
      act(controller::ControlVerb::kResume, id);
      break;
    case 3:
      if (worker.id().empty()) return;
      act(controller::ControlVerb::kDrain, worker.id().str());
      time_.After(Between(1, 60), [this, name = worker.id().str()] {
        Post(controller::ControlInput{controller::ControlVerb::kUndrain, name, false});
      });
      break;
    case 4:
      act(controller::ControlVerb::kCheckpointGc, id);
      break;
    default:
      if (rng_.Uniform() < 0.3) act(controller::ControlVerb::kCancel, id);
  }
}

// The end of all faults, again and again: what is left must come to an end by itself.
void SimCluster::Heal() {
  faulty_.Recover();
  StartCoordinator();
  for (const auto& worker : workers_) {
    worker->Start();
    if (!worker->id().empty()) {
      Post(controller::ControlInput{controller::ControlVerb::kUndrain, worker->id().str(), false});
    }
  }
  if (last_ != nullptr) {
    for (const auto& [id, experiment] : *last_->experiments) {
      if (experiment->state == State::kPaused) {
        Post(controller::ControlInput{controller::ControlVerb::kResume, id.str(), false});
      }
    }
  }
  time_.After(absl::Minutes(1), [this] { Heal(); });
}

void SimCluster::SubmitAll() {
  for (size_t i = 0; i < scenario_.experiments.size(); ++i) {
    const controller::SubmitInput submit{absl::StrCat("request-", i), scenario_.experiments[i], ""};
    Post(submit, [this](const absl::StatusOr<controller::Reply>& reply) {
      if (absl::IsInvalidArgument(reply.status())) Problem(reply.status().ToString());
    });
  }
  // As a client that heard nothing does: the same request again.
  if (Done() || time_.now() - began_ > absl::Hours(1)) return;
  time_.After(absl::Seconds(30), [this] { SubmitAll(); });
}

bool SimCluster::Done() const {
  if (last_ == nullptr || last_->experiments->size() < scenario_.experiments.size()) return false;
  return std::all_of(last_->experiments->begin(), last_->experiments->end(),
                     [](const auto& entry) { return IsTerminal(entry.second->state); });
}

void SimCluster::Run() {
  StartCoordinator();
  for (const auto& worker : workers_) {
    time_.After(Latency(), [w = worker.get()] { w->Start(); });
  }
  SubmitAll();
  if (scenario_.faults_for > absl::ZeroDuration()) {
    NextFault();
  } else {
    Heal();
  }
  while (!Done() && problems_.empty() && time_.Step()) {
    if (time_.now() - began_ < scenario_.deadline) continue;
    Problem("the experiments do not end");
    if (last_ == nullptr) return;
    for (const auto& [id, task] : *last_->tasks) {
      if (IsTerminal(task->state)) continue;
      const auto waiting = last_->waiting_reasons->find(id);
      Problem(absl::StrCat(id.str(), " is ", StateName(task->state), ": ", task->reason, "; ",
                           waiting == last_->waiting_reasons->end() ? "" : waiting->second));
    }
    for (const auto& [id, worker] : *last_->workers) Problem(state::ToJson(*worker).dump());
    for (const auto& [id, e] : *last_->experiments) {
      Problem(absl::StrCat(id.str(), " is ", StateName(e->state), ": ", e->reason));
    }
    return;
  }
  if (last_->experiments->size() != scenario_.experiments.size()) {
    Problem("a repeated submission made a second experiment");
  }
}

std::string SimCluster::EventLog() {
  std::string log;
  const auto events = store_.ReadEvents("", 0, 1'000'000);
  for (const store::EventRow& event : *events) {
    absl::StrAppend(&log, event.sequence, " ", event.at, " ", event.experiment, " ", event.subject,
                    " ", event.kind, ": ", event.text, "\n");
  }
  return log;
}

}  // namespace scm::simulation
