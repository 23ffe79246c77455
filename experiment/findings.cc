#include "experiment/findings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scm::experiment_file {

void Findings::Error(const Place& place, std::string key, std::string message) {
  failed_.insert(key);
  errors_.push_back({place, {place.line, std::move(key), std::move(message)}});
}

void Findings::Warning(const Place& place, std::string key, std::string message) {
  warnings_.push_back({place, {place.line, std::move(key), std::move(message)}});
}

void Findings::ErrorAt(const std::string& key, std::string message) {
  Error(PlaceOf(key), key, std::move(message));
}

void Findings::WarningAt(const std::string& key, std::string message) {
  Warning(PlaceOf(key), key, std::move(message));
}

bool Findings::Failed(const std::string& key) const {
  // Everything that `key` is or holds sorts directly behind it.
  const auto found = failed_.lower_bound(key);
  if (found != failed_.end() && *found == key) return true;
  for (absl::string_view mark : {".", "["}) {
    const std::string prefix = absl::StrCat(key, mark);
    const auto inside = failed_.lower_bound(prefix);
    if (inside != failed_.end() && absl::StartsWith(*inside, prefix)) return true;
  }
  return false;
}

Place Findings::PlaceOf(absl::string_view key) const {
  while (!key.empty()) {
    const auto found = places_.find(std::string(key));
    if (found != places_.end()) return found->second;
    const size_t end = key.find_last_of(".[");
    key = end == absl::string_view::npos ? "" : key.substr(0, end);
  }
  return {};
}

std::map<std::string, int> Findings::Lines() const {
  std::map<std::string, int> lines;
  for (const auto& [key, place] : places_) lines[key] = place.line;
  return lines;
}

std::vector<Diagnostic> Findings::Sorted(std::vector<Finding> findings) {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.place.line, a.place.order) < std::pair(b.place.line, b.place.order);
  });
  std::vector<Diagnostic> diagnostics;
  for (Finding& finding : findings) diagnostics.push_back(std::move(finding.diagnostic));
  return diagnostics;
}

}  // namespace scm::experiment_file
