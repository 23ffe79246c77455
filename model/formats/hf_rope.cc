#include "model/formats/hf_rope.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::model {
namespace {

constexpr char kLegacy[] = "rope_scaling", kParameters[] = "rope_parameters";

absl::Status RefuseRope(absl::string_view what, absl::string_view key, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", key, ": ", problem));
}

// What one of the two keys says, with what stands beside it.
struct Rope {
  double theta = 10000;
  std::optional<RopeScaling> scaling;
  bool operator==(const Rope& other) const {
    if (theta != other.theta || scaling.has_value() != other.scaling.has_value()) return false;
    if (!scaling) return true;
    const RopeScaling &a = *scaling, &b = *other.scaling;
    return a.factor == b.factor && a.low_freq_factor == b.low_freq_factor &&
           a.high_freq_factor == b.high_freq_factor &&
           a.original_max_position == b.original_max_position;
  }
};

// A number at the top of the file that may stand within the section as well, and is the same then.
absl::Status ReadShared(const Json& json, const Json& rope, absl::string_view section,
                        const char* key, absl::string_view what, double* out) {
  const Json &outer = MemberAt(json, key), &inner = MemberAt(rope, key);
  for (const Json* value : {&outer, &inner}) {
    if (value->is_null() || value->is_number()) continue;
    return RefuseRope(what, key, absl::StrCat("is ", DumpJson(*value), ", expected a number"));
  }
  if (!outer.is_null() && !inner.is_null() && outer.get<double>() != inner.get<double>()) {
    return RefuseRope(what, key,
                      absl::StrCat("is ", DumpJson(outer), ", but in ", section, " ",
                                   DumpJson(inner), "; make them the same, or remove one"));
  }
  if (!inner.is_null() || !outer.is_null()) *out = (inner.is_null() ? outer : inner).get<double>();
  return absl::OkStatus();
}

absl::StatusOr<RopeScaling> ReadLlama3(const Json& json, const Json& rope, const char* key,
                                       absl::string_view what, int64_t max_position) {
  RopeScaling scaling;
  const struct {
    const char* name;
    double* value;
  } numbers[] = {{"factor", &scaling.factor},
                 {"low_freq_factor", &scaling.low_freq_factor},
                 {"high_freq_factor", &scaling.high_freq_factor}};
  for (const auto& number : numbers) {
    const std::string name = absl::StrCat(key, ".", number.name);
    if (!MemberAt(rope, number.name).is_number())
      return RefuseRope(what, name, "expected a number");
    *number.value = MemberAt(rope, number.name).get<double>();
    if (!(*number.value > 0 && *number.value < 1e6)) {
      return RefuseRope(what, name,
                        absl::StrCat("is ", *number.value, ", expected a positive number"));
    }
  }
  if (scaling.low_freq_factor >= scaling.high_freq_factor) {
    return RefuseRope(what, key, "low_freq_factor must be below high_freq_factor");
  }
  // What transformers takes when the number is absent.
  double original = static_cast<double>(max_position);
  SCM_RETURN_IF_ERROR(
      ReadShared(json, rope, key, "original_max_position_embeddings", what, &original));
  if (!(original >= 1 && original < 1e12) ||
      original != static_cast<double>(static_cast<int64_t>(original))) {
    return RefuseRope(what, key,
                      "original_max_position_embeddings must be a positive whole number");
  }
  scaling.original_max_position = static_cast<int64_t>(original);
  return scaling;
}

absl::StatusOr<Rope> ReadSection(const Json& json, const char* key, absl::string_view what,
                                 const LlamaConfig& config) {
  const Json& section = MemberAt(json, key);
  if (!section.is_null() && !section.is_object())
    return RefuseRope(what, key, "expected an object");
  for (const auto& [name, value] : section.items()) {
    if (!value.is_object()) continue;
    return RefuseRope(what, absl::StrCat(key, ".", name),
                      "positions that differ between layers are not supported");
  }
  Rope rope;
  rope.theta = config.rope_theta;  // what the family has when the key is absent
  SCM_RETURN_IF_ERROR(ReadShared(json, section, key, "rope_theta", what, &rope.theta));
  double partial = 1;
  SCM_RETURN_IF_ERROR(ReadShared(json, section, key, "partial_rotary_factor", what, &partial));
  if (partial != 1) return RefuseRope(what, "partial_rotary_factor", "only 1 is supported");
  // Transformers before 4.43 wrote "type".
  const std::string old = StringAt(section, "type", "default");
  const std::string type = StringAt(section, "rope_type", old);
  if (section.contains("type") && type != old) {
    return RefuseRope(what, absl::StrCat(key, ".rope_type"),
                      absl::StrCat("is \"", type, "\", but type \"", old, "\"; remove type"));
  }
  if (type == "default") return rope;
  if (type != "llama3") {
    return RefuseRope(what, absl::StrCat(key, ".rope_type"),
                      absl::StrCat("\"", type, "\" is not supported, expected default or llama3"));
  }
  SCM_ASSIGN_OR_RETURN(rope.scaling, ReadLlama3(json, section, key, what, config.max_position));
  return rope;
}

// Null and {} say nothing.
bool Says(const Json& json, const char* key) {
  const Json& section = MemberAt(json, key);
  return !section.is_null() && !(section.is_object() && section.empty());
}

}  // namespace

absl::Status ReadRope(const Json& json, absl::string_view what, LlamaConfig* config) {
  const bool legacy = Says(json, kLegacy), parameters = Says(json, kParameters);
  SCM_ASSIGN_OR_RETURN(const Rope rope,
                       ReadSection(json, legacy ? kLegacy : kParameters, what, *config));
  if (legacy && parameters) {
    SCM_ASSIGN_OR_RETURN(const Rope other, ReadSection(json, kParameters, what, *config));
    if (!(rope == other)) {
      return RefuseRope(what, kLegacy,
                        absl::StrCat("says ", DumpJson(MemberAt(json, kLegacy)), ", but ",
                                     kParameters, " says ", DumpJson(MemberAt(json, kParameters)),
                                     " (transformers would read rope_scaling); make them mean the "
                                     "same, or remove one"));
    }
  }
  config->rope_theta = rope.theta;
  config->rope_scaling = rope.scaling;
  return absl::OkStatus();
}

}  // namespace scm::model
