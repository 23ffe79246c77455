// What gRPC is told by environment variables, for programs that dial. No gRPC here.
#pragma once

namespace scm {

// gRPC 1.51 drives the handshake of a new TLS connection only as often as it polls its idle
// channels, by default every 5 s a step: whoever lost the coordinator would stay away for half a
// minute after it is back, which is longer than a lease lasts. A value that the user has set stays.
// To be called before the process first uses gRPC, which reads it once, and has other threads.
void MakeGrpcReconnectQuickly();

}  // namespace scm
