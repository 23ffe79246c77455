#include "scmctl/dial.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/loopback.h"
#include "common/status_macros.h"
#include "scmctl/local_home.h"

namespace scm::ctl {
namespace {

// The flag's value, else that of the environment variable, else "".
std::string FlagOr(const std::string& flag, const char* variable) {
  if (!flag.empty()) return flag;
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

// Names the flag and the variable beside what is wrong with the file.
absl::StatusOr<std::string> ReadNamed(const std::string& path, const char* flag,
                                      const char* variable) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (text.ok()) return text;
  return absl::Status(text.status().code(),
                      absl::StrCat(text.status().message(), " (", flag, " or ", variable, ")"));
}

}  // namespace

absl::StatusOr<Dial> ResolveDial(const ClientOptions& options) {
  const LocalHome home = FindLocalHome();
  Dial dial;
  if (!options.local) dial.address = FlagOr(options.coordinator, "SCM_COORDINATOR");
  const bool local = dial.address.empty();
  if (local) {
    SCM_ASSIGN_OR_RETURN(dial.address, LocalCoordinatorAddress(home));
  }
  const std::string ca = local ? options.tls_ca : FlagOr(options.tls_ca, "SCM_TLS_CA");
  if (ca.empty() && !IsLoopback(dial.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat(dial.address,
                     " is another machine: pass --tls-ca FILE or set SCM_TLS_CA, so that the token "
                     "does not travel in plain text"));
  }
  if (!ca.empty()) {
    SCM_ASSIGN_OR_RETURN(dial.ca_pem, ReadNamed(ca, "--tls-ca", "SCM_TLS_CA"));
  }
  dial.token_file = local ? options.token_file : FlagOr(options.token_file, "SCM_TOKEN_FILE");
  if (dial.token_file.empty() && FileExists(home.user_token())) dial.token_file = home.user_token();
  if (!dial.token_file.empty()) {
    SCM_ASSIGN_OR_RETURN(dial.token, ReadNamed(dial.token_file, "--token-file", "SCM_TOKEN_FILE"));
    dial.token = dial.token.substr(0, dial.token.find('\n'));
  }
  return dial;
}

}  // namespace scm::ctl
