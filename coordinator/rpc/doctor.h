// What the coordinator can say about its own health (`scmctl doctor`). On an RPC thread.
#pragma once

#include "common/json.h"
#include "coordinator/rpc/services.h"
#include "coordinator/state/cluster.h"

namespace scm::rpc {

// {"now", "version", "checks": [{"check", "state": "ok" | "warning" | "problem", "text",
// "advice"}]}. Looks for the manifests of blobs for at most a few seconds.
Json DoctorView(const state::Snapshot& snapshot, const state::StoreHealth& health,
                const ServiceDependencies& dependencies);

}  // namespace scm::rpc
