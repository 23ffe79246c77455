#include "trainer/loop/gang_of_job.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/version.h"
#include "trainer/gang/gloo.h"
#include "trainer/protocol/attempt_main.h"

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
  if (!resources.gpus.empty()) {
    return absl::InvalidArgumentError(
        "several ranks of the built-in trainer train on CPUs: set resources.gpus to 0, or "
        "resources.ranks to 1");
  }
  gang::GlooOptions options;
  options.patience.go_on = [commands] { return !commands->stop().has_value(); };
  options.liveness.on_lost = [reporter](const absl::Status& why) { EndAttempt(reporter, why); };
  std::fprintf(stderr, "rank %d of %d: meeting the others at %s\n",
               static_cast<int>(resources.rank), static_cast<int>(resources.world_size),
               gang::HostAndPort(resources.rendezvous_host, resources.rendezvous_port).c_str());
  return gang::JoinGloo({resources.rendezvous_host, resources.rendezvous_port}, MemberOf(spec),
                        options);
}

}  // namespace scm::trainer
