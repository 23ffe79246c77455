#include "report/data_warnings.h"

#include <algorithm>
#include <set>

namespace scm::report {
namespace {

// Checks of corpus/quality.h whose finding means that a score may be memory.
const std::set<std::string>& LeakChecks() {
  static const auto& checks = *new std::set<std::string>{"exact_duplicates", "near_duplicates",
                                                         "cluster_leakage", "containment"};
  return checks;
}

}  // namespace

std::vector<std::string> DataWarnings(const Json& data) {
  std::vector<std::string> leaks, others;
  std::set<std::string> seen;
  for (const Json& finding : MemberAt(MemberAt(data, "data_check"), "findings")) {
    const std::string message = StringAt(finding, "message");
    if (StringAt(finding, "severity") != "warning" || !seen.insert(message).second) continue;
    (LeakChecks().count(StringAt(finding, "check")) > 0 ? leaks : others).push_back(message);
  }
  for (const Json& warning : MemberAt(data, "warnings")) {
    if (!warning.is_string() || !seen.insert(warning.get<std::string>()).second) continue;
    others.push_back(warning.get<std::string>());
  }
  leaks.insert(leaks.end(), others.begin(), others.end());
  return leaks;
}

}  // namespace scm::report
