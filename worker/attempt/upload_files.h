// From a `checkpoint` or `artifact` report to the files that are uploaded for it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"
#include "worker/link/coordinator_client.h"

namespace scm::worker {

// The directory or file that the report names, absolute and with links resolved. It must lie below
// `work_dir` (a checkpoint) or `attempt_directory` (an artifact). INVALID_ARGUMENT: the trainer
// broke the protocol; the message says how.
absl::StatusOr<std::string> ReportedPath(const Json& report, const std::string& attempt_directory,
                                         const std::string& work_dir);

// Lists and digests the files at `path` (every file is read once). Blocks; any thread.
// INVALID_ARGUMENT: no files, links, names that cannot be stored, no step or a bad artifact name.
absl::StatusOr<UploadRequest> CollectUpload(const Json& report, const std::string& path,
                                            const LeaseRef& lease);

// Whether `path` is relative with components of [A-Za-z0-9._-]{1,64}, none of them "." or "..".
bool IsStorablePath(absl::string_view path);

}  // namespace scm::worker
