#include "report/input_rows.h"

#include "absl/strings/str_cat.h"

namespace scm::report {
namespace {

// The inputs that have always had a digest of their own.
bool HasOwnRow(const std::string& key) { return key == "data.corpus" || key == "model.base"; }

bool WasCompared(const std::string& sha256, const Json& compared) {
  for (const Json& input : compared) {
    if (StringAt(input, "sha256") == sha256) return true;
  }
  return false;
}

std::vector<std::string> Row(const std::string& what, const std::string& sha256,
                             const Json& compared) {
  return {absl::StrCat(what, " SHA-256"),
          absl::StrCat(sha256, " at submission",
                       WasCompared(sha256, compared) ? ", and when it was evaluated" : "")};
}

}  // namespace

std::vector<std::vector<std::string>> InputRows(const Json& digests, const Json& compared) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : digests.items()) {
    if (value.is_string()) rows.push_back(Row(key, value.get<std::string>(), compared));
  }
  for (const Json& input : MemberAt(digests, "inputs")) {
    const std::string key = StringAt(input, "key");
    if (!HasOwnRow(key)) rows.push_back(Row(key, StringAt(input, "sha256"), compared));
  }
  return rows;
}

}  // namespace scm::report
