// At the start: checkpoints that lie complete in the checkpoint store and have no row. Controller's
// thread only.
#pragma once

#include <set>
#include <string>

#include "absl/status/status.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// One of the task's latest attempt whose rows are all here gets its row: the coordinator ended
// between the two. One that is newer than what the store knows (an older state was put back) is set
// aside and named: its run has no rows that lead to it. What else has no row is left to the sweep.
// Before the sweep, which leaves `known` in place.
absl::Status AdoptCheckpoints(ControllerContext& context, std::set<std::string> known);

// A checkpoint's row, and the files in it, as its manifest has them.
CheckpointRecord RecordOf(const checkpoint::CommittedBlob& blob, const RunId& run,
                          absl::Time committed_at);
Json FilesOf(const checkpoint::Manifest& manifest);

}  // namespace scm::controller
