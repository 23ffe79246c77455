#include "experiment/parameters.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "experiment/parse.h"
#include "experiment/read.h"
#include "experiment/read_spec.h"

namespace scm {
namespace experiment_file {
namespace {

using Parameter = std::pair<std::string, ParameterType>;

const std::vector<Parameter>& TrainingParameters() {
  static const auto* const parameters = new std::vector<Parameter>{
      {"training.learning_rate", ParameterType::kNumber},
      {"training.schedule", ParameterType::kWord},
      {"training.batch_size", ParameterType::kInteger},
      {"training.gradient_accumulation", ParameterType::kInteger},
      {"training.warmup_steps", ParameterType::kInteger},
      {"training.weight_decay", ParameterType::kNumber},
      {"training.max_grad_norm", ParameterType::kNumber},
      {"training.precision", ParameterType::kWord},
  };
  return *parameters;
}

const std::vector<Parameter>& LoraParameters() {
  static const auto* const parameters = new std::vector<Parameter>{
      {"lora.r", ParameterType::kInteger},
      {"lora.alpha", ParameterType::kNumber},
      {"lora.dropout", ParameterType::kNumber},
      {"lora.target_modules", ParameterType::kList},
  };
  return *parameters;
}

// "lora.x.y" below "lora", with no empty part.
bool IsBelow(const std::string& key, const std::string& section) {
  return absl::StartsWith(key, section + ".") && !absl::EndsWith(key, ".") &&
         !absl::StrContains(key, "..");
}

std::string LastPart(const std::string& key) { return key.substr(key.rfind('.') + 1); }

// Sets a dotted key of `json`, making the objects on the way. False if something in between is a
// value.
bool SetDotted(Json& json, const std::string& key, const Json& value) {
  Json* at = &json;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(key, '.'))) {
    if (at->is_null()) *at = Json::object();
    if (!at->is_object()) return false;
    at = &(*at)[part];
  }
  *at = value;
  return true;
}

}  // namespace

std::optional<ParameterType> SweepableType(const TrainerSpec& trainer, const std::string& key) {
  if (IsBelow(key, "trainer.parameters")) return ParameterType::kAny;
  if (!trainer.built_in() && (IsBelow(key, "lora") || IsBelow(key, "data"))) {
    return ParameterType::kAny;
  }
  for (const auto* parameters : {&TrainingParameters(), &LoraParameters()}) {
    for (const auto& [name, type] : *parameters) {
      if (name == key) return type;
    }
  }
  return std::nullopt;
}

std::string WhyNotSweepable(const TrainerSpec& trainer, const std::string& key) {
  for (absl::string_view fixed :
       {"max_steps", "save_steps", "eval_steps", "early_stopping", "loss_on"}) {
    if (key == absl::StrCat("training.", fixed)) {
      return absl::StrCat("cannot be swept: trials with another ", fixed,
                          " could not be compared with each other");
    }
  }
  std::vector<std::string> known;
  for (const auto& [name, type] : TrainingParameters()) known.push_back(name);
  if (trainer.built_in()) {
    for (const auto& [name, type] : LoraParameters()) known.push_back(name);
  }
  for (const std::string& name : known) {
    if (key == LastPart(name)) {
      return absl::StrCat("is no parameter that a sweep can vary. Did you mean ", name, "?");
    }
  }
  const std::string nearest = Nearest(key, known);
  if (!nearest.empty()) {
    return absl::StrCat("is no parameter that a sweep can vary. Did you mean ", nearest, "?");
  }
  return absl::StrCat("is no parameter that a sweep can vary. Those are ",
                      absl::StrJoin(known, ", "), ", and trainer.parameters.…");
}

std::string WrongValue(const TrainerSpec& trainer, const std::string& key, const Json& value) {
  const std::optional<ParameterType> type = SweepableType(trainer, key);
  if (!type) return WhyNotSweepable(trainer, key);
  if (*type == ParameterType::kAny) return "";
  Findings findings;
  const NodePtr tree = TreeFromJson(Json{{LastPart(key), value}});
  if (absl::StartsWith(key, "training.")) {
    TrainingSpec scratch;
    ReadTraining(Section(tree.get(), "training", findings), scratch);
  } else {
    LoraSpec scratch;
    ReadLora(Section(tree.get(), "lora", findings), scratch);
  }
  return findings.has_errors() ? findings.SortedErrors()[0].message : "";
}

}  // namespace experiment_file

absl::StatusOr<ExperimentSpec> ApplyParameters(const ExperimentSpec& spec, const Json& parameters) {
  namespace file = experiment_file;
  if (!parameters.is_object()) {
    return absl::InvalidArgumentError(
        "a trial's parameters must be an object of dotted keys and their values");
  }
  Json json = SpecToJson(spec);
  for (const auto& [key, value] : parameters.items()) {
    if (!file::SweepableType(spec.trainer, key)) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, ": ", file::WhyNotSweepable(spec.trainer, key)));
    }
    const std::string wrong = file::WrongValue(spec.trainer, key, value);
    if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrCat(key, ": ", wrong));
    if (!file::SetDotted(json, key, value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(key, ": a part of this key is a value, so nothing can be set below it"));
    }
  }
  const file::NodePtr tree = file::TreeFromJson(json);
  ParsedExperiment parsed = file::ReadSpec(*tree, {.json_form = true, .accepted = true});
  if (!parsed.spec) {
    const Diagnostic& error = parsed.errors[0];
    return absl::InvalidArgumentError(absl::StrCat(error.key, ": ", error.message));
  }
  return *std::move(parsed.spec);
}

}  // namespace scm
