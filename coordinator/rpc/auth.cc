#include "coordinator/rpc/auth.h"

#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::rpc {

TokenCheck::TokenCheck(absl::string_view token) : digest_(token.empty() ? "" : Sha256Hex(token)) {}

bool SameSecret(absl::string_view given, absl::string_view known) {
  const std::string a = Sha256Hex(given), b = Sha256Hex(known);
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string NewSecret() {
  unsigned char bytes[32];
  if (getentropy(bytes, sizeof bytes) != 0) std::abort();
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof bytes});
}

absl::Status TokenCheck::Check(absl::string_view header) const {
  if (digest_.empty()) return absl::OkStatus();
  if (!absl::ConsumePrefix(&header, "Bearer ")) {
    return absl::UnauthenticatedError(
        "this coordinator asks for a token: pass --token-file FILE (or use the one that "
        "`scmctl local up` made)");
  }
  const std::string given = Sha256Hex(header);
  if (CRYPTO_memcmp(given.data(), digest_.data(), digest_.size()) != 0) {
    return absl::UnauthenticatedError("the token is not the one this coordinator knows");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": others may read this token; run `chmod 600 ", path, "`"));
  }
  SCM_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  text = text.substr(0, text.find('\n'));
  if (text.size() < 16) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a token needs at least 16 characters on its first line"));
  }
  return text;
}

}  // namespace scm::rpc
