// At the start: checkpoints that lie complete in the checkpoint store and have no row. Controller's
// thread only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/checkpoint/checkpoint_store.h"
#include "coordinator/controller/context.h"

namespace scm::controller {

// What is to become of the blobs that no row names (`known` are those that one does), and done
// where files are touched: before the sweep, which removes the rest. One of the task's latest
// attempt whose rows are all here is adopted: the coordinator ended between the two. One that is
// newer than what the store knows (an older state was put back) is set aside: its run has no rows
// that lead to it.
absl::StatusOr<std::vector<UnknownBlob>> ReadUnknownBlobs(const state::Cluster& cluster,
                                                          checkpoint::CheckpointStore& store,
                                                          const std::set<std::string>& known);

// What follows for the records.
void TakeUnknownBlobs(ControllerContext& context, const std::vector<UnknownBlob>& blobs);

// A checkpoint's row, and the files in it, as its manifest has them.
CheckpointRecord RecordOf(const checkpoint::CommittedBlob& blob, const RunId& run,
                          absl::Time committed_at);
Json FilesOf(const checkpoint::Manifest& manifest);

}  // namespace scm::controller
