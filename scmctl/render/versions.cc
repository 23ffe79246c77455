#include "scmctl/render/versions.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace scm::ctl {

int CompareVersionNumbers(const std::string& a, const std::string& b) {
  const std::pair<std::string, std::string> one = absl::StrSplit(a, absl::MaxSplits('-', 1));
  const std::pair<std::string, std::string> two = absl::StrSplit(b, absl::MaxSplits('-', 1));
  const std::vector<std::string> left = absl::StrSplit(one.first, '.');
  const std::vector<std::string> right = absl::StrSplit(two.first, '.');
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const std::string x = i < left.size() ? left[i] : "0", y = i < right.size() ? right[i] : "0";
    int64_t m = 0, n = 0;
    const bool numbers = absl::SimpleAtoi(x, &m) && absl::SimpleAtoi(y, &n);
    if (numbers && m != n) return m < n ? -1 : 1;
    if (!numbers && x != y) return x < y ? -1 : 1;
  }
  if (one.second.empty() != two.second.empty()) return one.second.empty() ? 1 : -1;
  return one.second.compare(two.second);
}

std::string VersionNote(const std::string& ours, const std::string& coordinator) {
  const int order = CompareVersionNumbers(coordinator, ours);
  if (order == 0) return "";
  return order < 0 ? absl::StrCat("the coordinator (", coordinator, ") is older than this scmctl (",
                                  ours, "): restart it from the newer build")
                   : absl::StrCat("this scmctl (", ours, ") is older than the coordinator (",
                                  coordinator, "): use the scmctl that was built with it");
}

}  // namespace scm::ctl
