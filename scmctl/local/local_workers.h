// The workers that `scmctl local up` starts, and the coordinator that it started.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/json.h"
#include "scmctl/client.h"
#include "scmctl/local_home.h"

namespace scm::ctl {

std::string WorkerPidFile(const LocalHome& home, int number);

// The highest number of a worker that ever ran here.
int KnownWorkers(const LocalHome& home);

// The last line that says anything, for an error about a program that did not start.
std::string LastLogLine(const std::string& path);

// To the coordinator that `local up` started, whatever the environment names.
absl::StatusOr<std::unique_ptr<Client>> ConnectLocally();

// The workers of this home that run and that the coordinator knows, by number.
absl::StatusOr<std::map<int, Json>> RegisteredWorkers(const LocalHome& home);

// Waits until the coordinator has heard of workers 1 … `wanted`, so that what comes next finds
// them. INTERNAL names the first that does not come, and the end of its log.
absl::Status AwaitWorkers(const LocalHome& home, int wanted);

}  // namespace scm::ctl
