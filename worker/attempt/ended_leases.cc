#include "worker/attempt/ended_leases.h"

#include "common/files.h"
#include "common/json.h"

namespace scm::worker {

EndedLeases::EndedLeases(std::string path) : path_(std::move(path)) {
  const absl::StatusOr<std::string> text = ReadFile(path_);
  const absl::StatusOr<Json> json = ParseJson(text.value_or("[]"), path_);
  if (!json.ok() || !json->is_array()) return;
  for (const Json& lease : *json) {
    leases_.push_back({StringAt(lease, "lease_id"), StringAt(lease, "task_id"),
                       IntegerAt(lease, "attempt", 0), IntegerAt(lease, "epoch", 0),
                       IntegerAt(lease, "rank", 0)});
  }
}

void EndedLeases::Add(const LeaseRef& lease) {
  leases_.push_back(lease);
  while (leases_.size() > kKept) leases_.pop_front();
  Json json = Json::array();
  for (const LeaseRef& ended : leases_) {
    json.push_back({{"lease_id", ended.lease_id},
                    {"task_id", ended.task_id},
                    {"attempt", ended.attempt},
                    {"epoch", ended.epoch},
                    {"rank", ended.rank}});
  }
  WriteFileAtomically(path_, DumpJson(json) + "\n").IgnoreError();
}

}  // namespace scm::worker
