#include "trainer/loop/training_state.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "trainer/protocol/job_fields.h"

namespace scm::trainer {
namespace {

constexpr int64_t kVersion = 1;

Json OptionalNumber(const std::optional<double>& value) {
  return value.has_value() ? JsonNumber(*value) : Json();
}

Json ResultToJson(const std::optional<ValidationResult>& result) {
  if (!result.has_value()) return Json();
  Json json = {{"loss", JsonNumber(result->loss)}};
  if (result->counts.has_value()) {
    json["counts"] = {{"correct", result->counts->correct},
                      {"items", result->counts->items},
                      {"chance", JsonNumber(result->counts->chance)},
                      {"deff", JsonNumber(result->counts->deff)}};
  }
  return json;
}

std::optional<double> NumberOf(const Json& object, const std::string& key) {
  return NumberFromJson(MemberAt(object, key));
}

std::optional<ValidationResult> ResultFromJson(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  ValidationResult result;
  result.loss = NumberOf(json, "loss").value_or(std::numeric_limits<double>::quiet_NaN());
  const Json& counts = MemberAt(json, "counts");
  if (counts.is_object()) {
    result.counts = ValidationCounts{IntegerAt(counts, "correct", 0), IntegerAt(counts, "items", 0),
                                     NumberOf(counts, "chance").value_or(0),
                                     NumberOf(counts, "deff").value_or(1)};
  }
  return result;
}

}  // namespace

Json TrainingStateToJson(const TrainingState& state) {
  return {{"version", kVersion},
          {"step", state.step},
          {"cursor", {{"epoch", state.cursor.epoch}, {"index", state.cursor.index}}},
          {"tokens", state.tokens},
          {"world_size", state.world_size},
          {"fingerprint", state.fingerprint},
          {"validated_step", state.validated_step},
          {"validation", ResultToJson(state.validation)},
          {"base", ResultToJson(state.base)},
          {"best", {{"loss", OptionalNumber(state.best_loss)}, {"step", state.best_step}}},
          {"early_stopping",
           {{"best", OptionalNumber(state.stopping_best)},
            {"improved", state.stopping_improved},
            {"waited", state.stopping_waited}}}};
}

absl::StatusOr<TrainingState> TrainingStateFromJson(const Json& json, const std::string& what) {
  FieldProblems problems;
  const Fields root(json, "", &problems);
  const int64_t version = root.RequiredInteger("version", 1);
  if (version != kVersion) {
    root.Problem("version", absl::StrCat("is ", version, "; this program reads ", kVersion));
  }
  TrainingState state;
  state.step = root.RequiredInteger("step", 0);
  state.cursor.epoch = root.Object("cursor").RequiredInteger("epoch", 0);
  state.cursor.index = root.Object("cursor").RequiredInteger("index", 0);
  state.tokens = root.RequiredInteger("tokens", 0);
  state.world_size = root.Integer("world_size", 1, 1);
  state.fingerprint = root.RequiredText("fingerprint");
  state.validated_step = root.Integer("validated_step", -1, -1);
  state.validation = ResultFromJson(root.Raw("validation"));
  state.base = ResultFromJson(root.Raw("base"));
  const Json& best = root.Raw("best");
  state.best_loss = NumberOf(best, "loss");
  state.best_step = IntegerAt(best, "step", -1);
  const Json& stopping = root.Raw("early_stopping");
  state.stopping_best = NumberOf(stopping, "best");
  state.stopping_improved = BoolAt(stopping, "improved", false);
  state.stopping_waited = IntegerAt(stopping, "waited", 0);
  SCM_RETURN_IF_ERROR(problems.ToStatus(what));
  return state;
}

}  // namespace scm::trainer
