#include "experiment/parameters.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "experiment/parse.h"
#include "experiment/read_spec.h"
#include "experiment/reader.h"
#include "experiment/words.h"

namespace scm {
namespace experiment_file {
namespace {

std::string PathOf(const KeyRow& row) { return absl::StrCat(row.section, ".", row.key); }

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
  for (const KeyRow& row : AllKeys()) {
    if (row.swept && PathOf(row) == key) return row.swept;
  }
  return std::nullopt;
}

std::string WhyNotSweepable(const TrainerSpec& trainer, const std::string& key) {
  std::vector<std::string> known;
  // `training` first: it is every trainer's.
  for (const char* section : {"training", "lora"}) {
    for (const KeyRow& row : AllKeys()) {
      if (row.section != section) continue;
      if (row.swept && (trainer.built_in() || row.section == "training")) {
        known.push_back(PathOf(row));
      } else if (row.section == "training" && PathOf(row) == key &&
                 !absl::StrContains(row.key, ".")) {
        return absl::StrCat("cannot be swept: trials with another ", row.key,
                            " could not be compared with each other");
      }
    }
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
  const bool training = absl::StartsWith(key, "training.");
  const Reading reading;
  SectionReader reader(tree.get(), training ? "training" : "lora", reading, findings);
  ExperimentSpec scratch;
  if (training) {
    Describe(reader, scratch.training);
  } else {
    Describe(reader, scratch.lora);
  }
  return findings.has_errors() ? findings.SortedErrors()[0].message : "";
}

}  // namespace experiment_file

bool PartsTrials(const TrainerSpec& trainer, const std::string& parameter) {
  namespace file = experiment_file;
  if (!trainer.built_in() && file::IsBelow(parameter, "trainer.parameters")) return false;
  if (!trainer.built_in() && file::IsBelow(parameter, "data")) return true;
  const std::vector<file::KeyRow>& keys = file::AllKeys();
  return std::any_of(keys.begin(), keys.end(), [&parameter](const file::KeyRow& row) {
    return row.shared && file::PathOf(row) == parameter;
  });
}

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
  ParsedExperiment parsed = file::ReadSpec(*tree, {.by_scm = true, .accepted = true});
  if (!parsed.spec) {
    const Diagnostic& error = parsed.errors[0];
    return absl::InvalidArgumentError(absl::StrCat(error.key, ": ", error.message));
  }
  return *std::move(parsed.spec);
}

}  // namespace scm
