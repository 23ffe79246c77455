#include "worker/attempt/ended_leases.h"

#include "common/files.h"
#include "common/json.h"
#include "worker/attempt/lease_json.h"

namespace scm::worker {

EndedLeases::EndedLeases(std::string path) : path_(std::move(path)) {
  const absl::StatusOr<std::string> text = ReadFile(path_);
  const absl::StatusOr<Json> json = ParseJson(text.value_or("[]"), path_);
  if (!json.ok() || !json->is_array()) return;
  for (const Json& lease : *json) {
    leases_.push_back(LeaseFromJson(lease));
  }
}

void EndedLeases::Add(const LeaseRef& lease) {
  leases_.push_back(lease);
  while (leases_.size() > kKept) leases_.pop_front();
  Json json = Json::array();
  for (const LeaseRef& ended : leases_) json.push_back(LeaseToJson(ended));
  WriteFileAtomically(path_, DumpJson(json) + "\n").IgnoreError();
}

}  // namespace scm::worker
