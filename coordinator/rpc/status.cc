#include "coordinator/rpc/status.h"

#include "common/text.h"

namespace scm::rpc {
namespace {

// Messages travel in a header, whose size is limited.
constexpr size_t kLongestMessage = 6 << 10;

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.raw_code()),
          TextOf(status.message(), kLongestMessage)};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace scm::rpc
