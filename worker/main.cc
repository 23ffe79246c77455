// scm-worker: one daemon per host (or per share of a host).
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/file_lock.h"
#include "common/files.h"
#include "common/guard.h"
#include "common/text.h"
#include "common/version.h"
#include "worker/daemon.h"
#include "worker/link/grpc_client.h"
#include "worker/log.h"
#include "worker/options.h"
#include "worker/process/event_loop.h"
#include "worker/process/posix_launcher.h"
#include "worker/process/trainer_user.h"
#include "worker/thread_pool.h"

namespace scm::worker {
namespace {

constexpr int kTransferThreads = 3;

int Complain(const absl::Status& status) {
  std::fprintf(stderr, "scm-worker: %s\n", TextOf(status.message()).c_str());
  return status.code() == absl::StatusCode::kInvalidArgument ? 2 : 1;
}

// Held until the process ends.
absl::Status LockWorkDir(const std::string& work_dir) {
  const absl::Status made = MakeDirectories(work_dir);
  if (!made.ok()) return made;
  const std::string path = work_dir + "/worker.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  if (TakeFileLock(fd)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("another scm-worker uses ", work_dir, "; give each its own --work-dir"));
}

// The directory's own random name, by which the coordinator knows the worker again.
absl::StatusOr<std::string> Instance(const std::string& work_dir) {
  const std::string path = work_dir + "/instance";
  if (absl::StatusOr<std::string> name = ReadFile(path); name.ok() && !name->empty()) {
    return std::string(absl::StripAsciiWhitespace(*name));
  }
  absl::StatusOr<std::string> random = ReadFile("/proc/sys/kernel/random/uuid");
  if (!random.ok()) return random.status();
  const absl::Status written = WriteFileDurably(path, *random);
  if (!written.ok()) return written;
  return std::string(absl::StripAsciiWhitespace(*random));
}

// By which the directory proves that the name is its own. Nobody else may read it.
absl::StatusOr<std::string> InstanceKey(const std::string& work_dir) {
  const std::string path = work_dir + "/instance.key";
  if (absl::StatusOr<std::string> key = ReadFile(path); key.ok() && !key->empty()) {
    return std::string(absl::StripAsciiWhitespace(*key));
  }
  unsigned char bytes[32];
  if (getentropy(bytes, sizeof bytes) != 0) return absl::ErrnoToStatus(errno, "no random numbers");
  const std::string key =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof bytes});
  const absl::Status written = WriteFileDurably(path, key + "\n", 0600);
  if (!written.ok()) return written;
  return key;
}

std::string HostName() {
  char name[256] = "";
  return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

int Run(const WorkerOptions& options, const sigset_t& signals) {
  if (const absl::Status locked = LockWorkDir(options.work_dir); !locked.ok()) {
    return Complain(locked);
  }
  TrainerUser user;
  if (!options.trainer_user.empty()) {
    const absl::StatusOr<TrainerUser> found = FindTrainerUser(options.trainer_user);
    if (!found.ok()) return Complain(found.status());
    user = *found;
    const absl::Status opened = OpenToTrainers(options.work_dir);
    if (!opened.ok()) return Complain(opened);
  }
  const absl::StatusOr<std::string> instance = Instance(options.work_dir);
  if (!instance.ok()) return Complain(instance.status());
  const absl::StatusOr<std::string> key = InstanceKey(options.work_dir);
  if (!key.ok()) return Complain(key.status());
  absl::StatusOr<std::unique_ptr<GrpcClientBase>> client =
      MakeGrpcClient({options.coordinator, options.token_file, options.tls_ca});
  if (!client.ok()) return Complain(client.status());

  const absl::StatusOr<std::unique_ptr<EventLoop>> made = EventLoop::Make();
  if (!made.ok()) return Complain(made.status());
  EventLoop& loop = **made;
  ThreadPool pool(kTransferThreads);
  PosixLauncher launcher(ProgramDirectory() + "/scm-attempt", options.shutdown_grace, user, &loop);
  InputCache cache(options.work_dir + "/cache");
  Slots slots(options.cpus, options.cores);
  const std::unique_ptr<GpuInventory> gpus = MakeGpuInventory(options.nvml);
  const char* path = getenv("PATH");
  WorkerContext context{client->get(),
                        &launcher,
                        &RealClock(),
                        &cache,
                        &slots,
                        [&pool](std::function<void()> work) { pool.Run(std::move(work)); },
                        [&loop](std::function<void()> task) { loop.Post(std::move(task)); },
                        options.work_dir,
                        options.orphan_timeout,
                        {ProgramDirectory(), options.allowed, path == nullptr ? "" : path},
                        std::make_shared<GpuBook>(getenv("CUDA_VISIBLE_DEVICES")),
                        options.min_free_bytes,
                        options.exit_grace,
                        options.upload_patience};
  Register identity{
      *instance, HostName(), kVersion, options.cpus, {}, {}, OfferedPrograms(context.rules)};
  identity.instance_key = *key;
  Daemon daemon({std::move(identity), options.shutdown_grace, options.shutdown_grace}, context,
                *gpus);
  if (const absl::Status restored = daemon.Restore(); !restored.ok()) return Complain(restored);
  if (const auto listed = gpus->Look()) context.gpus->Observe(*listed);
  WorkerLog(absl::StrCat("scm-worker ", kVersion, ": ", options.cpus, " CPU slots, ",
                         context.gpus->offered().size(), " GPUs, coordinator ",
                         options.coordinator));

  int interrupts = 0;
  const int told = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  const absl::Status heard = loop.Watch(told, [told, &daemon, &interrupts] {
    signalfd_siginfo signal;
    while (read(told, &signal, sizeof signal) == sizeof signal) {
      interrupts += signal.ssi_signo == SIGINT;
      daemon.Shutdown(signal.ssi_signo == SIGINT   ? "interrupted"
                      : signal.ssi_signo == SIGHUP ? "hung up"
                                                   : "terminated");
    }
  });
  if (!heard.ok()) return Complain(heard);
  // Only a person types Ctrl-C twice; schedulers repeat SIGTERM, and mean the same by it. The
  // trainers' shims keep the grace that was set.
  while (!daemon.finished() && interrupts < 2) {
    daemon.Proceed();
    loop.Run(daemon.Due() - RealClock().Steady());
  }
  // Everything that runs on other threads ends before what it uses.
  (*client)->CancelTransfers();
  pool.Stop();
  client->reset();
  WorkerLog(daemon.attempts() == 0
                ? "stopped; nothing is left running"
                : absl::StrCat("stopped; ", daemon.attempts(),
                               " attempts remain to be reported after the next start"));
  return 0;
}

}  // namespace
}  // namespace scm::worker

int main(int argc, char** argv) {
  int code = 1;
  const absl::Status status = scm::Guarded("stopping", [&] {
    const scm::worker::ParsedOptions parsed = scm::worker::ParseWorkerOptions(argc, argv);
    if (parsed.exit) {
      code = parsed.exit_code;
      return;
    }
    // Before any thread exists, so that only the loop ever sees these.
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
    // Unless it was started by nohup: whoever closes its terminal wants it to end in good order,
    // too.
    struct sigaction hang_up;
    if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) {
      sigaddset(&signals, SIGHUP);
    }
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
    code = scm::worker::Run(parsed.options, signals);
  });
  return status.ok() ? code : scm::worker::Complain(status);
}
