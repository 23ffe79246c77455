#include "coordinator/rpc/rpc_metrics.h"

#include <algorithm>

namespace scm::rpc {
namespace {

const char* CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  return code >= 0 && code < 17 ? kNames[code] : "Unknown";
}

}  // namespace

void RpcMetrics::Observe(const std::string& service, const std::string& method,
                         grpc::StatusCode code, double seconds) {
  std::lock_guard lock(mutex_);
  ++values_.handled[{service, method, CodeName(code)}];
  Histogram& histogram = values_.handling[{service, method}];
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), seconds);
  if (bucket != kBuckets.end()) ++histogram.counts[bucket - kBuckets.begin()];
  ++histogram.total;
  histogram.sum += seconds;
}

RpcMetrics::Values RpcMetrics::Read() const {
  std::lock_guard lock(mutex_);
  return values_;
}

}  // namespace scm::rpc
