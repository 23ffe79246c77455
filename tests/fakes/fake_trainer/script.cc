#include "tests/fakes/fake_trainer/script.h"

#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::fake {
namespace {

using Setter = std::function<bool(const Json& value, Script& script)>;

Setter Number(double Script::*member) {
  return [member](const Json& value, Script& script) {
    if (value.is_number()) script.*member = value.get<double>();
    return value.is_number();
  };
}
Setter Integer(int64_t Script::*member, int64_t least = INT64_MIN) {
  return [member, least](const Json& value, Script& script) {
    if (!value.is_number_integer() || value.get<int64_t>() < least) return false;
    script.*member = value.get<int64_t>();
    return true;
  };
}
Setter Boolean(bool Script::*member) {
  return [member](const Json& value, Script& script) {
    if (value.is_boolean()) script.*member = value.get<bool>();
    return value.is_boolean();
  };
}
Setter Text(std::string Script::*member) {
  return [member](const Json& value, Script& script) {
    if (value.is_string()) script.*member = value.get<std::string>();
    return value.is_string();
  };
}

const std::map<std::string, Setter>& Setters() {
  static const auto* const setters = new std::map<std::string, Setter>{
      {"curve", Text(&Script::curve)},
      {"best_learning_rate", Number(&Script::best_learning_rate)},
      {"nan_at_step", Integer(&Script::nan_at_step)},
      {"reports_diverged", Boolean(&Script::reports_diverged)},
      {"noise", Number(&Script::noise)},
      {"step_ms", Integer(&Script::step_ms, 0)},
      {"progress_every", Integer(&Script::progress_every, 1)},
      {"items", Integer(&Script::items, 1)},
      {"choices", Integer(&Script::choices, 2)},
      {"deff", Number(&Script::deff)},
      {"counts", Boolean(&Script::counts)},
      {"payload_bytes", Integer(&Script::payload_bytes, 1)},
      {"fault_attempts", Integer(&Script::fault_attempts)},
      {"only_seed", Integer(&Script::only_seed)},
      {"fault_rank", Integer(&Script::fault_rank)},
      {"exit_at_step", Integer(&Script::exit_at_step)},
      {"exit_code", Integer(&Script::exit_code)},
      {"fail_kind", Text(&Script::fail_kind)},
      {"hang_at_step", Integer(&Script::hang_at_step)},
      {"ignore_stop", Boolean(&Script::ignore_stop)},
      {"ignore_sigterm", Boolean(&Script::ignore_sigterm)},
      {"sigterm_exit", Integer(&Script::sigterm_exit)},
      {"hang_at_exit", Boolean(&Script::hang_at_exit)},
      {"fork_children", Integer(&Script::fork_children)},
      {"bad_checkpoint", Boolean(&Script::bad_checkpoint)},
      {"torn_line", Boolean(&Script::torn_line)},
      {"unknown_reports", Boolean(&Script::unknown_reports)},
      {"bare_nan", Boolean(&Script::bare_nan)},
      {"base_accuracy", Number(&Script::base_accuracy)},
      {"seed_accuracy", Number(&Script::seed_accuracy)},
      {"decision", Text(&Script::decision)},
  };
  return *setters;
}

absl::Status Assign(const std::string& key, const Json& value, Script& script) {
  const auto setter = Setters().find(key);
  if (setter == Setters().end()) {
    return absl::InvalidArgumentError(absl::StrCat("fake trainer: unknown parameter ", key));
  }
  if (setter->second(value, script)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("fake trainer: parameter ", key, " cannot be ", value.dump()));
}

}  // namespace

absl::StatusOr<Script> ParseScript(const Json& parameters, const std::string& environment) {
  Json merged = parameters.is_object() ? parameters : Json::object();
  if (!environment.empty()) {
    SCM_ASSIGN_OR_RETURN(const Json over, ParseJson(environment, "SCM_FAKE"));
    if (!over.is_object()) return absl::InvalidArgumentError("SCM_FAKE must be a JSON object");
    merged.update(over);
  }
  Script script;
  for (const auto& [key, value] : merged.items()) {
    SCM_RETURN_IF_ERROR(Assign(key, value, script));
  }
  for (const char* curve : {"good", "flat", "slow", "diverging", "nan", "inverted", "plateau"}) {
    if (script.curve == curve) return script;
  }
  return absl::InvalidArgumentError(absl::StrCat("fake trainer: unknown curve ", script.curve));
}

}  // namespace scm::fake
