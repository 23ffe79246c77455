#include "model/formats/adapter_shapes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "model/formats/name_expression.h"

namespace scm::model {
namespace {

template <typename V>
using Pattern = std::vector<std::pair<std::string, V>>;

constexpr size_t kNoKey = static_cast<size_t>(-1);

// For each module the place of the first key that names it, or kNoKey.
template <typename V>
absl::StatusOr<std::vector<size_t>> FirstKeys(const char* name, const Pattern<V>& pattern,
                                              const std::vector<std::string>& modules) {
  std::vector<size_t> first(modules.size(), kNoKey);
  for (size_t key = 0; key < pattern.size(); ++key) {
    // As peft's get_pattern_key.
    SCM_ASSIGN_OR_RETURN(
        const NameExpression names,
        NameExpression::Compile(absl::StrCat("(.*\\.)?(", pattern[key].first, ")$"),
                                NameExpression::Extent::kBegin, name));
    for (size_t i = 0; i < modules.size(); ++i) {
      if (first[i] != kNoKey) continue;
      SCM_ASSIGN_OR_RETURN(const bool named, names.Matches(modules[i]));
      if (named) first[i] = key;
    }
  }
  return first;
}

// What of an expression Python's `re` and PCRE2 may read differently, or Python not at all: ""
// where there is nothing of the kind.
std::string OddIn(const std::string& key) {
  constexpr absl::string_view kEscaped = R"(.*+?|()[]{}^$\-_/dDwWsSbB)";
  for (size_t i = 0; i < key.size(); ++i) {
    const std::string two = key.substr(i, 2), three = key.substr(i, 3);
    if (two[0] == '\\') {
      if (two.size() < 2 || !absl::StrContains(kEscaped, two[1])) return two;
      ++i;
    } else if (two == "(?" && three != "(?:") {
      return three;
    } else if (two == "(*" || two == "[:" || two == "*+" || two == "++" || two == "?+" ||
               two == "}+") {
      return two;
    }
  }
  return "";
}

template <typename V>
absl::Status CheckPattern(const char* name, const Pattern<V>& pattern,
                          const std::vector<std::string>& modules) {
  for (const auto& [key, value] : pattern) {
    const std::string odd = OddIn(key);
    if (!odd.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": \"", key, "\" has \"", odd,
          "\", which does not mean the same to every program that reads adapters. Write the key "
          "with names and . * + ? | ( ) [ ] alone"));
    }
    SCM_ASSIGN_OR_RETURN(const auto named, FirstKeys(name, Pattern<V>{{key, value}}, modules));
    if (std::any_of(named.begin(), named.end(), [](size_t at) { return at != kNoKey; })) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": \"", key,
                     "\" names no module that is adapted. A key is the end of a name from a dot "
                     "on, like q_proj or 0.self_attn.q_proj, or an expression for it"));
  }
  Pattern<V> sorted = pattern;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  SCM_ASSIGN_OR_RETURN(const auto given, FirstKeys(name, pattern, modules));
  SCM_ASSIGN_OR_RETURN(const auto stored, FirstKeys(name, sorted, modules));
  for (size_t i = 0; i < modules.size(); ++i) {
    if (given[i] == kNoKey) continue;
    const auto& [key, value] = pattern[given[i]];
    const auto& [other, changed] = sorted[stored[i]];
    if (value == changed) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": \"", key, "\" and \"", other, "\" both name ", modules[i],
        ", and the first key counts. peft sorts the keys when it saves an adapter, and then it "
        "would be \"",
        other, "\" (", changed, " instead of ", value,
        "). Write expressions that do not name the same module"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<AdapterShape>> AdapterShapes(const AdapterNumbers& numbers,
                                                        const std::vector<std::string>& modules) {
  SCM_ASSIGN_OR_RETURN(const auto ranks, FirstKeys("rank_pattern", numbers.rank_pattern, modules));
  SCM_ASSIGN_OR_RETURN(const auto alphas,
                       FirstKeys("alpha_pattern", numbers.alpha_pattern, modules));
  std::vector<AdapterShape> shapes;
  for (size_t i = 0; i < modules.size(); ++i) {
    const int64_t r = ranks[i] == kNoKey ? numbers.r : numbers.rank_pattern[ranks[i]].second;
    const double alpha =
        alphas[i] == kNoKey ? numbers.alpha : numbers.alpha_pattern[alphas[i]].second;
    const double divisor = static_cast<double>(r);
    shapes.push_back({r, alpha / (numbers.use_rslora ? std::sqrt(divisor) : divisor)});
  }
  return shapes;
}

absl::Status CheckPatterns(const AdapterNumbers& numbers, const std::vector<std::string>& modules) {
  SCM_RETURN_IF_ERROR(CheckPattern("rank_pattern", numbers.rank_pattern, modules));
  return CheckPattern("alpha_pattern", numbers.alpha_pattern, modules);
}

}  // namespace scm::model
