// Which coordinator is meant, and what it is dialled with: flags, then the environment
// (SCM_COORDINATOR, SCM_TOKEN_FILE, SCM_TLS_CA), then what `scmctl local up` made. Nothing is
// dialled here.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "scmctl/client.h"

namespace scm::ctl {

struct Dial {
  std::string address;
  std::string token, token_file;  // the file that the token was read from
  std::string ca_pem;             // "" = plain text, and then the address is loopback
};

// The local coordinator is dialled with its own token and in plain text, whatever the environment
// says. INVALID_ARGUMENT when a token would leave this machine in plain text; NOT_FOUND for a file
// that is not there; UNAVAILABLE when there is no local coordinator.
absl::StatusOr<Dial> ResolveDial(const ClientOptions& options);

}  // namespace scm::ctl
