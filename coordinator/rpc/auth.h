// Who may call: a bearer token for users and one for workers, compared in constant time. Tokens
// come from files and are kept as digests only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::rpc {

class TokenCheck {
 public:
  // "" = no token is asked for (tests, and only on loopback).
  explicit TokenCheck(absl::string_view token);
  // `header` is the value of the metadata key "authorization". UNAUTHENTICATED says what is
  // missing.
  absl::Status Check(absl::string_view header) const;

 private:
  std::string digest_;  // SHA-256 of the token
};

// Whether both are the same, in a time that depends on no character of either.
bool SameSecret(absl::string_view given, absl::string_view known);

// 256 random bits in hexadecimal. Ends the process where the kernel gives none.
std::string NewSecret();

// The first line of a token file. INVALID_ARGUMENT if it is empty or others may read the file.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

}  // namespace scm::rpc
