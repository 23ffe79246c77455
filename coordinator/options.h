// Command line of scm-coordinator, parsed once into a validated struct.
#pragma once

#include <string>

#include "absl/time/time.h"

namespace scm::coordinator {

struct CoordinatorOptions {
  std::string data_dir;
  std::string listen = "127.0.0.1:0";
  std::string metrics_listen = "127.0.0.1:0";
  std::string user_token_file, worker_token_file;
  std::string tls_cert, tls_key;
  double lease_ttl_seconds = 30;
  double stop_grace_seconds = 60;
};

// Parses argv. Returns an exit code when the program is to end at once (help, version, a mistake),
// or −1 to go on with `options`.
int ParseCoordinatorOptions(int argc, char** argv, CoordinatorOptions* options);

}  // namespace scm::coordinator
