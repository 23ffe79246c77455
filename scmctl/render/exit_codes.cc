#include "scmctl/render/exit_codes.h"

namespace scm::ctl {

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return kExitLostContact;
    default:
      return kExitInternal;
  }
}

int ExitCodeOf(const Json& status) {
  const Json& experiment = MemberAt(status, "experiment");
  const std::string state = StringAt(experiment, "state");
  if (state == "FAILED") return kExitFailed;
  if (state == "ABORTED") return kExitAborted;
  if (state == "CANCELLED") return kExitCancelled;
  if (state == "SUCCEEDED" && StringAt(experiment, "decision") == "no_go") return kExitNoGo;
  return kExitOk;
}

}  // namespace scm::ctl
