#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "common/human.h"
#include "common/text.h"
#include "scmctl/render/render.h"

namespace scm::ctl {

std::string Cell(const Json& value, int digits) {
  if (value.is_null()) return "–";
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  if (value.is_number()) return HumanNumber(value.get<double>(), digits);
  if (value.is_string()) {
    const std::string text = LineOf(value.get_ref<const std::string&>(), std::string::npos);
    return text.empty() ? "–" : text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return DumpJson(value);
}

std::string AbortText(const Json& run) {
  const std::string rule = StringAt(run, "rule"), reason = StringAt(run, "reason");
  const bool named = absl::StartsWith(reason, absl::StrReplaceAll(rule, {{"_", " "}}));
  return rule.empty() || named ? reason : absl::StrCat(rule, ": ", reason);
}

std::string TaskText(const Json& task) {
  const std::string scores = StringAt(task, "scores");
  return absl::StrCat(StringAt(task, "kind"), scores.empty() ? "" : " ", scores);
}

std::string LocalTime(const std::string& rfc3339) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, rfc3339, &time, &error)) return "–";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S %Z", time, absl::LocalTimeZone());
}

std::string CostText(const Json& experiment) {
  const Json& cost = MemberAt(experiment, "cost");
  if (!cost.is_number()) return "";
  const std::string currency = StringAt(experiment, "currency", "USD");
  const std::string spent = HumanMoney(cost.get<double>(), currency);
  const Json& budget = MemberAt(experiment, "budget");
  if (!budget.is_number()) return spent;
  return absl::StrCat(spent, " of ", HumanMoney(budget.get<double>(), currency));
}

}  // namespace scm::ctl
