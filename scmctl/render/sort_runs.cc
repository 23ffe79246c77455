#include "scmctl/render/sort_runs.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/suggest.h"

namespace scm::ctl {
namespace {

Json ValueOf(const Json& run, const std::string& key) {
  if (const Json& metric = MemberAt(MemberAt(run, "latest"), key); !metric.is_null()) return metric;
  const Json& parameters = MemberAt(run, "parameters");
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    if (it.key() == key || absl::EndsWith(it.key(), absl::StrCat(".", key))) return it.value();
  }
  return MemberAt(run, key);
}

// Numbers before texts; a non-finite number is worth no more than a missing one.
bool Less(const Json& a, const Json& b) {
  const std::optional<double> x = NumberFromJson(a), y = NumberFromJson(b);
  if (x && y) return *x < *y;
  if (x || y) return x.has_value();
  return a.is_string() && b.is_string() && a.get<std::string>() < b.get<std::string>();
}

bool HasValue(const Json& value) {
  if (const std::optional<double> number = NumberFromJson(value)) return std::isfinite(*number);
  return value.is_string() || value.is_boolean();
}

std::vector<std::string> KnownKeys(const Json& runs) {
  std::set<std::string> keys = {"id", "seed", "stage", "state", "step", "trial"};
  for (const Json& run : runs) {
    for (const char* part : {"latest", "parameters"}) {
      const Json& values = MemberAt(run, part);
      for (auto it = values.begin(); it != values.end(); ++it) keys.insert(it.key());
    }
  }
  return {keys.begin(), keys.end()};
}

}  // namespace

absl::Status SortRuns(Json& answer, const std::string& key, bool reverse) {
  std::vector<std::pair<Json, Json>> with, without;  // value, run
  for (Json& run : answer["runs"]) {
    Json value = ValueOf(run, key);
    auto& place = HasValue(value) ? with : without;
    place.emplace_back(std::move(value), std::move(run));
  }
  std::stable_sort(with.begin(), with.end(), [&](const auto& a, const auto& b) {
    return reverse ? Less(b.first, a.first) : Less(a.first, b.first);
  });
  Json sorted = Json::array();
  for (auto* part : {&with, &without}) {
    for (auto& [value, run] : *part) sorted.push_back(std::move(run));
  }
  const bool known = !with.empty() || sorted.empty();
  answer["runs"] = std::move(sorted);
  if (known) return absl::OkStatus();
  const std::vector<std::string> keys = KnownKeys(answer["runs"]);
  const std::string near = Suggest(key, keys);
  return absl::InvalidArgumentError(
      absl::StrCat("no run has a value of \"", key, "\" to sort by",
                   near.empty() ? "" : absl::StrCat("; did you mean ", near, "?"),
                   " There are: ", absl::StrJoin(keys, ", ")));
}

}  // namespace scm::ctl
