#include "tests/worker/harness.h"

#include <signal.h>
#include <sys/resource.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "gtest/gtest.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {

namespace {

// While it lives, this process gets no new descriptor.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit none{0, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

}  // namespace

Harness::Harness(bool time_stands_still) : clock_(time_stands_still) {
  context_.client = &coordinator;
  context_.clock = &clock_;
  context_.background = [](std::function<void()> work) { work(); };
  context_.post = [this](std::function<void()> task) { loop_->Post(std::move(task)); };
  context_.work_dir = work.path();
  context_.rules = {SCM_BIN_DIR, {Binary("scm-fake-trainer"), "/bin/sh"}, "/usr/bin:/bin"};
  StartDaemon();
}

Harness::~Harness() {
  const absl::StatusOr<std::vector<std::string>> names = ListDirectory(work / "attempts");
  for (size_t i = 0; names.ok() && i < names->size(); ++i) {
    const std::string pid = absl::StrCat(work / "attempts/", (*names)[i], "/", attempt_files::kPid);
    const absl::StatusOr<std::string> text = ReadFile(pid);
    const absl::StatusOr<Json> json = text.ok() ? ParseJson(*text, pid) : text.status();
    // The trainer dies with its shim. Pid 0 would be this process's own group.
    const pid_t shim = json.ok() ? static_cast<pid_t>(IntegerAt(*json, "pid", 0)) : 0;
    if (shim > 0) kill(shim, SIGKILL);
  }
}

void Harness::StartDaemon() {
  coordinator.Drop();
  while (loop_->Run(absl::ZeroDuration()) > 0) {
  }
  daemon_.reset();
  std::optional<NoMoreDescriptors> none;
  if (refuse_inotify) none.emplace();
  launcher_ = std::make_unique<PosixLauncher>(Binary("scm-attempt"), absl::Seconds(60),
                                              TrainerUser{}, loop_.get());
  none.reset();
  cache_ = std::make_unique<InputCache>(work / "cache");
  slots_ = std::make_unique<Slots>(2, std::vector<int>{});
  context_.launcher = launcher_.get();
  context_.cache = cache_.get();
  context_.slots = slots_.get();
  // In the harness's fast time, so that a loaded machine has real minutes for it.
  daemon_ = std::make_unique<Daemon>(
      Daemon::Options{{"instance", "host", "test", 2, {}, {}}, absl::Hours(2), absl::Hours(2)},
      context_, gpus_);
  const absl::Status restored = daemon_->Restore();
  EXPECT_TRUE(restored.ok()) << restored;
}

void Harness::Step() {
  loop_->Run(absl::ZeroDuration());
  daemon_->Proceed();
}

bool Harness::StepUntil(const std::function<bool()>& done, const char* what) {
  return WaitUntil(
      [&] {
        Step();
        return done();
      },
      what);
}

bool Harness::ReactUntil(const std::function<bool()>& done, const char* what) {
  const absl::Duration hang = RealClock().Steady() + absl::Minutes(2);
  while (true) {
    daemon_->Proceed();
    if (done()) return true;
    const bool due = daemon_->Due() <= clock_.Steady();
    loop_->Run(due ? absl::ZeroDuration() : hang - RealClock().Steady());
    if (RealClock().Steady() > hang) {
      ADD_FAILURE() << "nothing tells of: " << what;
      return false;
    }
  }
}

LeaseRef Harness::Grant(Json spec, int64_t attempt, std::vector<std::string> command) {
  StepUntil([this] { return coordinator.registered(); }, "a session");
  const LeaseRef lease{LeaseId::FromNumber(attempt), TaskId("k-1"), attempt, 10 + attempt};
  spec["attempt"] = attempt;
  if (command.empty()) command = {Binary("scm-fake-trainer")};
  coordinator.GrantLease({lease, spec.dump(), command, {}});
  return lease;
}

bool Harness::StepUntilEnded(const LeaseRef& lease) {
  return StepUntil([&] { return !coordinator.lease(lease).ends.empty(); }, "the attempt's end") &&
         StepUntil([&] { return Forgotten(lease.attempt); }, "the directory's removal");
}

const ProcessEvent& Harness::End(const LeaseRef& lease) {
  static const ProcessEvent* const none = new ProcessEvent;
  const std::vector<ProcessEvent>& ends = coordinator.lease(lease).ends;
  EXPECT_EQ(ends.size(), 1u);
  return ends.empty() ? *none : ends.back();
}

std::string Harness::Directory(int64_t attempt) const {
  return absl::StrCat(work / "attempts/k-1-", attempt);
}

bool Harness::Forgotten(int64_t attempt) const { return !FileExists(Directory(attempt)); }

Json Harness::PidFile(int64_t attempt) const {
  const std::string path = absl::StrCat(Directory(attempt), "/", attempt_files::kPid);
  // The shim writes it once the trainer runs, so a first report may be there before it.
  WaitUntil([&] { return FileExists(path); }, path.c_str());
  return ParseJson(ReadText(path), path).value_or(Json());
}

void Harness::KillShim(int64_t attempt) const {
  const pid_t shim = static_cast<pid_t>(IntegerAt(PidFile(attempt), "pid", 0));
  ASSERT_GT(shim, 0);
  kill(shim, SIGKILL);
}

}  // namespace scm::worker
