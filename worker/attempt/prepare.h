// What stands in an attempt's directory before it is started, and what is read back from it after a
// restart of the daemon.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "worker/attempt/attempt_state.h"
#include "worker/attempt/input_cache.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

// The directory's name: "k-7-2" for attempt 2 of k-7, with "-RANK" behind it for ranks of a gang
// other than the first. INVALID_ARGUMENT if the task id is no plain name.
absl::StatusOr<std::string> AttemptName(const LeaseRef& lease, const Json& spec);

// The spec with what only the worker knows: work_dir, and resources.gpus and the rank's defaults
// where the coordinator left them out. Pure.
Json FillSpec(Json spec, const std::string& work_dir, const std::vector<int>& gpus);

// SCM_SPEC, OMP_NUM_THREADS and which GPUs are visible (none, unless granted). `inventory` gives
// the UUIDs. Pure.
std::vector<std::pair<std::string, std::string>> TrainerEnvironment(
    const std::string& spec_path, int cpus, const std::vector<int>& gpus,
    const std::vector<Gpu>& inventory);

// RESOURCE_EXHAUSTED while the disk of `directory` has less than `min_free` bytes for this process.
absl::Status CheckRoom(const std::string& directory, int64_t min_free);

// Makes the directory anew, fetches what the spec refers to as "scm:ID", hands over the data of a
// trainer of one's own (worker/attempt/trainer_data.h) and writes spec.json. The cache entries it
// pinned are put into `inputs`, also when it fails. Blocks; any thread.
absl::Status PrepareDirectory(const std::string& directory, const std::string& digest_cache,
                              Json spec, const LeaseRef& lease, CoordinatorClient& client,
                              InputCache& cache, std::vector<std::string>& inputs);

// lease.json.
struct AttemptRecord {
  LeaseRef lease;
  std::vector<std::string> command;
  int cpus = 1;
  std::vector<int> cores, gpus;
  std::vector<std::string> inputs;
  std::vector<std::string> gpu_uuids = {};  // of `gpus`, "" where that is not known
  double gpu_share = 1;
};
Json LeaseRecord(const AttemptRecord& record);
AttemptRecord ReadLeaseRecord(const Json& json);

// stop.json; nullopt if no stop was sent.
std::optional<StopInfo> ReadStop(const std::string& path);

}  // namespace scm::worker
