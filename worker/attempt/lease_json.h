// A lease in the files of the worker's directory. Pure.
#pragma once

#include "common/json.h"
#include "common/lease_ref.h"

namespace scm::worker {

Json LeaseToJson(const LeaseRef& lease);
// What is missing stays empty or 0.
LeaseRef LeaseFromJson(const Json& json);

}  // namespace scm::worker
