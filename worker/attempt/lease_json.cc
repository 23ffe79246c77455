#include "worker/attempt/lease_json.h"

namespace scm::worker {

Json LeaseToJson(const LeaseRef& lease) {
  return {{"lease_id", lease.lease.str()},
          {"task_id", lease.task.str()},
          {"attempt", lease.attempt},
          {"epoch", lease.epoch},
          {"rank", lease.rank}};
}

LeaseRef LeaseFromJson(const Json& json) {
  return {LeaseId(StringAt(json, "lease_id")), TaskId(StringAt(json, "task_id")),
          IntegerAt(json, "attempt", 0), IntegerAt(json, "epoch", 0), IntegerAt(json, "rank", 0)};
}

}  // namespace scm::worker
