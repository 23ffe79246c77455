#include "common/grpc_environment.h"

#include <cstdlib>

namespace scm {

void MakeGrpcReconnectQuickly() {
  setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", /*overwrite=*/0);
}

}  // namespace scm
