#include "worker/attempt/prepare.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/human.h"
#include "common/status_macros.h"
#include "worker/attempt/lease_json.h"
#include "worker/attempt/trainer_data.h"
#include "worker/attempt/upload_files.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {
namespace {

constexpr char kReference[] = "scm:";

// Replaces holder["dir"] = "scm:ID" by the local directory of ID.
absl::Status FetchReference(Json& holder, const LeaseRef& lease, CoordinatorClient& client,
                            InputCache& cache, std::vector<std::string>& inputs) {
  const std::string reference = StringAt(holder, "dir");
  if (!absl::StartsWith(reference, kReference)) return absl::OkStatus();
  SCM_ASSIGN_OR_RETURN(const std::string entry,
                       cache.Fetch(client, lease, reference.substr(sizeof kReference - 1)));
  inputs.push_back(entry);
  holder["dir"] = entry;
  return absl::OkStatus();
}

template <typename T>
std::vector<T> ListAt(const Json& json, const char* key) {
  std::vector<T> list;
  for (const Json& value : MemberAt(json, key)) {
    if constexpr (std::is_same_v<T, int>) {
      if (value.is_number_integer()) list.push_back(value.get<int>());
    } else {
      if (value.is_string()) list.push_back(value.get<std::string>());
    }
  }
  return list;
}

}  // namespace

absl::StatusOr<std::string> AttemptName(const LeaseRef& lease, const Json& spec) {
  if (!IsStorablePath(lease.task.str()) || absl::StrContains(lease.task.str(), "/")) {
    return absl::InvalidArgumentError(absl::StrCat("\"", lease.task.str(), "\" is no task id"));
  }
  const int64_t rank = IntegerAt(MemberAt(spec, "resources"), "rank", 0);
  return absl::StrCat(lease.task.str(), "-", lease.attempt,
                      rank > 0 ? absl::StrCat("-", rank) : "");
}

Json FillSpec(Json spec, const std::string& work_dir, const std::vector<int>& gpus) {
  spec["work_dir"] = work_dir;
  Json& resources = spec["resources"];
  if (!resources.is_object()) resources = Json::object();
  if (!resources.contains("cpus")) resources["cpus"] = 1;
  resources["gpus"] = gpus;
  if (!resources.contains("rank")) resources["rank"] = 0;
  if (!resources.contains("world_size")) resources["world_size"] = 1;
  if (!resources.contains("rendezvous")) resources["rendezvous"] = nullptr;
  return spec;
}

std::vector<std::pair<std::string, std::string>> TrainerEnvironment(
    const std::string& spec_path, int cpus, const std::vector<int>& gpus,
    const std::vector<Gpu>& inventory) {
  std::vector<std::string> names;
  for (int index : gpus) {
    const auto gpu = std::find_if(inventory.begin(), inventory.end(),
                                  [&](const Gpu& g) { return g.index == index; });
    const bool known = gpu != inventory.end() && !gpu->uuid.empty();
    names.push_back(known ? gpu->uuid : absl::StrCat(index));
  }
  return {{"SCM_SPEC", spec_path},
          {"OMP_NUM_THREADS", absl::StrCat(std::max(1, cpus))},
          {"CUDA_DEVICE_ORDER", "PCI_BUS_ID"},
          {"CUDA_VISIBLE_DEVICES", absl::StrJoin(names, ",")}};
}

absl::Status CheckRoom(const std::string& directory, int64_t min_free) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error || space.available >= static_cast<uintmax_t>(min_free)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the worker's disk (", directory, ") has only ", HumanBytes(space.available),
                   " free, and an attempt is started with no less than ", HumanBytes(min_free)));
}

absl::Status PrepareDirectory(const std::string& directory, const std::string& digest_cache,
                              Json spec, const LeaseRef& lease, CoordinatorClient& client,
                              InputCache& cache, std::vector<std::string>& inputs) {
  SCM_RETURN_IF_ERROR(RemoveRecursively(directory));
  SCM_RETURN_IF_ERROR(MakeDirectories(absl::StrCat(directory, "/", attempt_files::kWork)));
  if (spec.contains("resume_from") && spec["resume_from"].is_object()) {
    SCM_RETURN_IF_ERROR(FetchReference(spec["resume_from"], lease, client, cache, inputs));
  }
  if (spec.contains("runs") && spec["runs"].is_array()) {
    for (Json& run : spec["runs"]) {
      if (!run.contains("resume_from") || !run["resume_from"].is_object()) continue;
      SCM_RETURN_IF_ERROR(FetchReference(run["resume_from"], lease, client, cache, inputs));
    }
  }
  if (spec.contains("inputs") && spec["inputs"].is_array()) {
    for (Json& input : spec["inputs"]) {
      SCM_RETURN_IF_ERROR(FetchReference(input, lease, client, cache, inputs));
    }
  }
  SCM_RETURN_IF_ERROR(HandOverData(directory, digest_cache, spec));
  // Only the attempt itself reads it, and that does not live through a power failure.
  return WriteFileAtomically(absl::StrCat(directory, "/", attempt_files::kSpec),
                             DumpJson(spec, 2) + "\n");
}

Json LeaseRecord(const AttemptRecord& record) {
  return {{"lease", LeaseToJson(record.lease)},
          {"command", record.command},
          {"cpus", record.cpus},
          {"cores", record.cores},
          {"gpus", record.gpus},
          {"gpu_uuids", record.gpu_uuids},
          {"gpu_share", record.gpu_share},
          {"inputs", record.inputs}};
}

AttemptRecord ReadLeaseRecord(const Json& json) {
  AttemptRecord record;
  record.lease = LeaseFromJson(MemberAt(json, "lease"));
  record.command = ListAt<std::string>(json, "command");
  record.cpus = static_cast<int>(IntegerAt(json, "cpus", 1));
  record.cores = ListAt<int>(json, "cores");
  record.gpus = ListAt<int>(json, "gpus");
  record.gpu_uuids = ListAt<std::string>(json, "gpu_uuids");
  record.gpu_share = NumberAt(json, "gpu_share", 1);
  record.inputs = ListAt<std::string>(json, "inputs");
  return record;
}

std::optional<StopInfo> ReadStop(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  const absl::StatusOr<Json> json = ParseJson(*text, path);
  if (!json.ok()) return std::nullopt;
  return StopInfo{StringAt(*json, "reason"), NumberAt(*json, "grace_seconds", 0),
                  BoolAt(*json, "local", false)};
}

}  // namespace scm::worker
