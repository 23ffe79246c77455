#include "tests/fakes/fake_trainer/script.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::fake {
namespace {

absl::Status Assign(const std::string& key, const Json& value, Script& s) {
  const auto integer = [&](int64_t& to) {
    if (!value.is_number_integer()) return false;
    to = value.get<int64_t>();
    return true;
  };
  const auto number = [&](double& to) {
    if (!value.is_number()) return false;
    to = value.get<double>();
    return true;
  };
  const auto boolean = [&](bool& to) {
    if (!value.is_boolean()) return false;
    to = value.get<bool>();
    return true;
  };
  const auto text = [&](std::string& to) {
    if (!value.is_string()) return false;
    to = value.get<std::string>();
    return true;
  };
  bool fits = false;
  if (key == "curve") fits = text(s.curve);
  else if (key == "best_learning_rate") fits = number(s.best_learning_rate);
  else if (key == "nan_at_step") fits = integer(s.nan_at_step);
  else if (key == "reports_diverged") fits = boolean(s.reports_diverged);
  else if (key == "noise") fits = number(s.noise);
  else if (key == "step_ms") fits = integer(s.step_ms);
  else if (key == "progress_every") fits = integer(s.progress_every) && s.progress_every > 0;
  else if (key == "items") fits = integer(s.items) && s.items > 0;
  else if (key == "choices") fits = integer(s.choices) && s.choices > 1;
  else if (key == "deff") fits = number(s.deff);
  else if (key == "counts") fits = boolean(s.counts);
  else if (key == "payload_bytes") fits = integer(s.payload_bytes) && s.payload_bytes > 0;
  else if (key == "fault_attempts") fits = integer(s.fault_attempts);
  else if (key == "exit_at_step") fits = integer(s.exit_at_step);
  else if (key == "exit_code") fits = integer(s.exit_code);
  else if (key == "fail_kind") fits = text(s.fail_kind);
  else if (key == "hang_at_step") fits = integer(s.hang_at_step);
  else if (key == "ignore_stop") fits = boolean(s.ignore_stop);
  else if (key == "ignore_sigterm") fits = boolean(s.ignore_sigterm);
  else if (key == "fork_children") fits = integer(s.fork_children);
  else if (key == "bad_checkpoint") fits = boolean(s.bad_checkpoint);
  else if (key == "torn_line") fits = boolean(s.torn_line);
  else if (key == "unknown_reports") fits = boolean(s.unknown_reports);
  else if (key == "bare_nan") fits = boolean(s.bare_nan);
  else if (key == "base_accuracy") fits = number(s.base_accuracy);
  else if (key == "seed_accuracy") fits = number(s.seed_accuracy);
  else if (key == "decision") fits = text(s.decision);
  else return absl::InvalidArgumentError(absl::StrCat("fake trainer: unknown parameter ", key));
  if (fits) return absl::OkStatus();
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
