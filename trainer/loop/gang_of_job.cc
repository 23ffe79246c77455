#include "trainer/loop/gang_of_job.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "trainer/gang/gloo.h"
#include "trainer/gang/nccl.h"
#include "trainer/protocol/attempt_main.h"
#include "trainer/protocol/torch_runtime.h"

namespace scm::trainer {
namespace {

std::string OwnHost() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

gang::Member MemberOf(const JobSpec& spec) {
  return {.rank = spec.resources.rank,
          .world_size = spec.resources.world_size,
          .gang = absl::StrCat(spec.experiment_id, "/", spec.task_id, "/", spec.attempt),
          .host = OwnHost(),
          .alike = {{"version of scm-trainer", kVersion}, {"work order", spec.digest}}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<gang::Communicator>> GangOfJob(const JobSpec& spec,
                                                              Reporter* reporter,
                                                              CommandQueue* commands) {
  const JobResources& resources = spec.resources;
  if (resources.world_size == 1) return gang::MakeSolo();
  // What this worker lacks is said before the others are kept waiting.
  SCM_ASSIGN_OR_RETURN(const std::string device, PrepareTorch(resources));
  gang::JoinOptions options;
  options.patience.go_on = [commands] { return !commands->stop().has_value(); };
  options.liveness.on_lost = [reporter](const absl::Status& why) { EndAttempt(reporter, why); };
  const gang::Rendezvous rendezvous{resources.rendezvous_host, resources.rendezvous_port};
  std::fprintf(stderr, "rank %d of %d: meeting the others at %s, to compute on %s\n",
               static_cast<int>(resources.rank), static_cast<int>(resources.world_size),
               gang::HostAndPort(rendezvous.host, rendezvous.port).c_str(), device.c_str());
  if (device == "cpu") return gang::JoinGloo(rendezvous, MemberOf(spec), options);
  return gang::JoinNccl(rendezvous, MemberOf(spec), options);
}

}  // namespace scm::trainer
