#include "coordinator/core/policy/evidence.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::policy {
namespace {

Json NumbersToJson(const Evidence::Numbers& numbers) {
  Json out = Json::object();
  for (const auto& [name, value] : numbers) out[name] = JsonNumber(value);
  return out;
}

absl::Status Bad(absl::string_view key, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("certificate: ", key, ": ", expected, " expected"));
}

absl::StatusOr<Evidence::Numbers> NumbersFromJson(const Json& certificate, const char* key) {
  const Json& object = MemberAt(certificate, key);
  if (!object.is_object()) return Bad(key, "an object of numbers");
  Evidence::Numbers out;
  for (const auto& [name, value] : object.items()) {
    const std::optional<double> number = NumberFromJson(value);
    if (!number) return Bad(absl::StrCat(key, ".", name), "a number");
    out.emplace_back(name, *number);
  }
  return out;
}

absl::Status ReadWindow(const Json& window, Evidence& out) {
  const Json& steps = MemberAt(window, "steps");
  const Json& values = MemberAt(window, "values");
  if (!steps.is_array() || !values.is_array() || steps.size() != values.size()) {
    return Bad("window", "as many steps as values");
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].is_number_integer()) return Bad("window.steps", "whole numbers");
    const std::optional<double> value = NumberFromJson(values[i]);
    if (!value) return Bad("window.values", "numbers");
    out.window_steps.push_back(steps[i].get<int64_t>());
    out.window_values.push_back(*value);
  }
  return absl::OkStatus();
}

std::optional<double> Optional(const Json& value) {
  return value.is_null() ? std::nullopt : NumberFromJson(value);
}

}  // namespace

double Evidence::Find(const Numbers& numbers, const std::string& name) {
  for (const auto& [key, value] : numbers) {
    if (key == name) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

Json EvidenceToJson(const Evidence& evidence) {
  Json steps = Json::array(), values = Json::array();
  for (int64_t step : evidence.window_steps) steps.push_back(step);
  for (double value : evidence.window_values) values.push_back(JsonNumber(value));
  const auto rate = [](const std::optional<double>& r) { return r ? Json(*r) : Json(nullptr); };
  return Json{{"rule", evidence.rule},
              {"version", evidence.version},
              {"subject", evidence.subject},
              {"step", evidence.step},
              {"verdict", "abort"},
              {"reason", evidence.reason},
              {"seen", evidence.seen},
              {"threshold", evidence.threshold},
              {"confidence", evidence.confidence},
              {"window", {{"steps", steps}, {"values", values}}},
              {"statistic", NumbersToJson(evidence.statistic)},
              {"limits", NumbersToJson(evidence.limits)},
              {"false_abort_rate", rate(evidence.false_abort_rate)},
              {"nominal_rate", rate(evidence.nominal_rate)}};
}

absl::StatusOr<Evidence> EvidenceFromJson(const Json& certificate) {
  if (!certificate.is_object()) return Bad("certificate", "an object");
  Evidence out;
  out.rule = StringAt(certificate, "rule");
  if (out.rule.empty()) return Bad("rule", "a name");
  if (!MemberAt(certificate, "version").is_number_integer()) return Bad("version", "a number");
  out.version = static_cast<int>(IntegerAt(certificate, "version", 0));
  out.subject = StringAt(certificate, "subject");
  out.step = IntegerAt(certificate, "step", 0);
  out.reason = StringAt(certificate, "reason");
  out.seen = StringAt(certificate, "seen");
  out.threshold = StringAt(certificate, "threshold");
  out.confidence = StringAt(certificate, "confidence");
  SCM_RETURN_IF_ERROR(ReadWindow(MemberAt(certificate, "window"), out));
  SCM_ASSIGN_OR_RETURN(out.statistic, NumbersFromJson(certificate, "statistic"));
  SCM_ASSIGN_OR_RETURN(out.limits, NumbersFromJson(certificate, "limits"));
  out.false_abort_rate = Optional(MemberAt(certificate, "false_abort_rate"));
  out.nominal_rate = Optional(MemberAt(certificate, "nominal_rate"));
  return out;
}

}  // namespace scm::policy
