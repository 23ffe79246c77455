// What the coordinator can say about its own health (`scmctl doctor`). On an RPC thread.
#pragma once

#include "coordinator/rpc/services.h"
#include "coordinator/state/cluster.h"
#include "scm/v1/answers.pb.h"

namespace scm::rpc {

// Looks for the manifests of blobs for at most a few seconds.
v1::HealthAnswer DoctorView(const state::Snapshot& snapshot, const state::StoreHealth& health,
                            const ServiceDependencies& dependencies);

}  // namespace scm::rpc
