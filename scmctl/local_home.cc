#include "scmctl/local_home.h"

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/json.h"

namespace scm::ctl {

LocalHome FindLocalHome() {
  if (const char* home = std::getenv("SCM_HOME"); home != nullptr && *home != '\0') {
    return {AbsolutePath(home, std::filesystem::current_path().string())};
  }
  const char* user = std::getenv("HOME");
  return {absl::StrCat(user ? user : "/root", "/.scm")};
}

absl::StatusOr<std::string> LocalCoordinatorAddress(const LocalHome& home) {
  const absl::StatusOr<std::string> text = ReadFile(home.data_dir() + "/address.json");
  if (text.ok()) {
    const absl::StatusOr<Json> json = ParseJson(*text, "address.json");
    if (json.ok() && !StringAt(*json, "coordinator").empty()) return StringAt(*json, "coordinator");
  }
  return absl::UnavailableError(
      "there is no coordinator on this machine. `scmctl local up` starts one; --coordinator "
      "HOST:PORT or SCM_COORDINATOR names another.");
}

}  // namespace scm::ctl
