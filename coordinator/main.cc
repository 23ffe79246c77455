// scm-coordinator: wires store, controller, services and telemetry, and waits for a signal.

#include <signal.h>

#include <cstdio>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/clock.h"
#include "common/descriptors.h"
#include "common/files.h"
#include "common/guard.h"
#include "common/human.h"
#include "common/process_stat.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "coordinator/checkpoint/filesystem.h"
#include "coordinator/checkpoint/local_store.h"
#include "coordinator/controller/controller_loop.h"
#include "coordinator/core/priority_scheduler.h"
#include "coordinator/options.h"
#include "coordinator/rpc/answers.h"
#include "coordinator/rpc/server.h"
#include "coordinator/store/sqlite_store.h"
#include "coordinator/telemetry/api.h"
#include "coordinator/telemetry/exposition.h"
#include "coordinator/telemetry/http_server.h"
#include "coordinator/telemetry/metrics.h"

namespace scm::coordinator {
namespace {

// An upload must not take the last room from the database.
constexpr int64_t kMinFreeBytes = 64 << 20;
// Nobody waits for the controller yet.
constexpr absl::Duration kCheckAtStart = absl::Seconds(10);

// Whether somebody may rely on the blob's present content: a checkpoint that is in use, or what a
// task left that has ended.
bool IsCommitted(const state::Snapshot& snapshot, const std::string& id) {
  if (const auto c = snapshot.checkpoints->find(id); c != snapshot.checkpoints->end()) {
    return !c->second->deleted;
  }
  const auto artifact = snapshot.artifacts->find(id);
  return artifact != snapshot.artifacts->end() &&
         IsTerminal(snapshot.tasks->at(artifact->second->task)->state);
}

absl::StatusOr<rpc::ServerOptions> ReadSecrets(const CoordinatorOptions& options) {
  rpc::ServerOptions server;
  server.listen = options.listen;
  server.descriptors = RaiseDescriptorLimit();
  if (!options.user_token_file.empty()) {
    SCM_ASSIGN_OR_RETURN(server.user_token, rpc::ReadTokenFile(options.user_token_file));
  }
  if (!options.worker_token_file.empty()) {
    SCM_ASSIGN_OR_RETURN(server.worker_token, rpc::ReadTokenFile(options.worker_token_file));
  }
  if (!options.tls_cert.empty()) {
    SCM_ASSIGN_OR_RETURN(server.tls_cert, ReadFile(options.tls_cert));
    SCM_ASSIGN_OR_RETURN(server.tls_key, ReadFile(options.tls_key));
  }
  return server;
}

// Within what is named alike, readings of the steady clock can be compared: one boot of the
// machine, and one time namespace, in which a container may have a steady clock of its own.
std::string NameOfBoot() {
  std::error_code error;
  return absl::StrCat(absl::StripAsciiWhitespace(ReadSmallFile("/proc/sys/kernel/random/boot_id")),
                      " ", std::filesystem::read_symlink("/proc/self/ns/time", error).string());
}

// Where scmctl and workers on this machine find a coordinator whose ports were given as 0.
absl::Status WriteAddresses(const CoordinatorOptions& options, int rpc_port, int http_port) {
  const auto host = [](const std::string& address) {
    return address.substr(0, address.rfind(':'));
  };
  const Json addresses = {{"coordinator", absl::StrCat(host(options.listen), ":", rpc_port)},
                          {"metrics_url", absl::StrCat("http://", host(options.metrics_listen), ":",
                                                       http_port, "/metrics")},
                          {"pid", getpid()},
                          {"version", kVersion}};
  return WriteFileAtomically(absl::StrCat(options.data_dir, "/address.json"),
                             DumpJson(addresses, 2));
}

// What is wrong with the store, for whoever reads the log; `scmctl doctor` says it again.
void PrintHealth(const state::StoreHealth& health) {
  for (const state::SetAsideRow& row : health.set_aside) {
    std::fprintf(stderr, "scm-coordinator: set aside: %s %s: %s\n", row.table.c_str(),
                 row.id.c_str(), row.reason.c_str());
  }
  for (const std::string& problem : health.check.problems) {
    std::fprintf(stderr, "scm-coordinator: the store is damaged: %s\n", TextOf(problem).c_str());
  }
  if (!health.check.unchecked.empty()) {
    std::fprintf(stderr, "scm-coordinator: not checked in %s: %s\n",
                 HumanDuration(kCheckAtStart).c_str(),
                 absl::StrJoin(health.check.unchecked, ", ").c_str());
  }
}

absl::Status Serve(const CoordinatorOptions& options, const sigset_t& signals) {
  SCM_RETURN_IF_ERROR(MakeDirectories(options.data_dir));
  SCM_ASSIGN_OR_RETURN(const rpc::ServerOptions server_options, ReadSecrets(options));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<store::StateStore> store,
                       store::SqliteStore::Open({.directory = options.data_dir}));
  std::function<std::shared_ptr<const state::Snapshot>()> published;
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<checkpoint::CheckpointStore> checkpoints,
                       checkpoint::LocalStore::Open(
                           {.directory = absl::StrCat(options.data_dir, "/checkpoints"),
                            .min_free_bytes = kMinFreeBytes,
                            .may_replace = [&published](absl::string_view id) {
                              return published && !IsCommitted(*published(), std::string(id));
                            }}));
  const core::PriorityScheduler scheduler;
  rpc::StreamLinks links(kVersion);
  controller::ControllerOptions controller_options;
  controller_options.version = kVersion;
  controller_options.lease_ttl = absl::Seconds(options.lease_ttl_seconds);
  controller_options.lease_margin = controller_options.lease_ttl / 6;
  controller_options.renew_every = controller_options.lease_ttl / 6;
  controller_options.stop_grace = absl::Seconds(options.stop_grace_seconds);
  controller::Controller controller(controller_options,
                                    {store.get(), checkpoints.get(), &scheduler, &links});
  SCM_RETURN_IF_ERROR(controller.Recover({RealClock().Now(), RealClock().Steady()}, NameOfBoot()));
  PrintHealth(controller.CheckStore({RealClock().Now(), RealClock().Steady()}, kCheckAtStart));
  controller::ControllerLoop::Options loop_options;
  const auto free_bytes = [&options] {
    return checkpoint::PosixFilesystem().FreeBytes(options.data_dir);
  };
  loop_options.no_room = [&free_bytes] {
    const absl::StatusOr<int64_t> free = free_bytes();
    return free.ok() && *free < kMinFreeBytes;
  };
  controller::ControllerLoop loop(&controller, &RealClock(), loop_options);
  published = [&loop] { return loop.snapshot(); };

  rpc::LogStore logs(absl::StrCat(options.data_dir, "/logs"));
  logs.SetAsideBeyond([tasks = loop.snapshot()->tasks](const TaskId& id) {
    const auto task = tasks->find(id);
    return task == tasks->end() ? 0 : task->second->attempts;
  });
  rpc::RpcMetrics rpc_metrics;
  const rpc::ServiceDependencies services{
      &loop, checkpoints.get(), &logs, &links, &rpc_metrics, kVersion, free_bytes, kMinFreeBytes};
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<rpc::RpcServer> rpc,
                       rpc::StartRpcServer(server_options, services));
  const telemetry::CoordinatorMetrics metrics({[&loop] { return loop.snapshot(); },
                                               [&rpc_metrics] { return rpc_metrics.Read(); },
                                               [&loop] { return loop.Now(); }});
  const telemetry::Api api{rpc::Answers(services), rpc::TokenCheck(server_options.user_token)};
  SCM_ASSIGN_OR_RETURN(
      const std::unique_ptr<telemetry::HttpServer> http,
      telemetry::StartHttpServer(
          options.metrics_listen,
          {[&metrics] { return telemetry::Exposition(metrics.Collect()); },
           [&loop, &rpc]() -> std::string {
             if (loop.store_full()) {
               return "the disk is full: free some space";
             }
             return rpc->Trouble();
           },
           [&api](const telemetry::HttpRequest& request) { return api.Answer(request); }}));
  SCM_RETURN_IF_ERROR(WriteAddresses(options, rpc->port(), http->port()));
  std::printf("scm-coordinator %s serves port %d, metrics on port %d, data in %s\n", kVersion,
              rpc->port(), http->port(), options.data_dir.c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::coordinator

int main(int argc, char** argv) {
  scm::coordinator::CoordinatorOptions options;
  if (const int code = scm::coordinator::ParseCoordinatorOptions(argc, argv, &options); code >= 0)
    return code;
  // Before any thread exists, so that every thread inherits the mask and sigwait alone sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const absl::Status status =
      scm::Guarded("stopping", [&] { return scm::coordinator::Serve(options, signals); });
  if (!status.ok()) {
    std::fprintf(stderr, "scm-coordinator: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
