#include "model/formats/adapter_targets.h"

#include <functional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "model/formats/llama_tensors.h"
#include "model/formats/name_expression.h"

namespace scm::model {
namespace {

constexpr char kHeadModule[] = "lm_head", kEmbeddingsModule[] = "model.embed_tokens";

using Targeted = std::function<absl::StatusOr<bool>(const std::string&)>;

absl::Status RefuseTargets(absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("target_modules: ", problem));
}

// The name, or what follows one of its dots, is among `targets`.
bool NameOrEnding(const std::set<std::string>& targets, const std::string& name) {
  if (targets.count(name) > 0) return true;
  for (size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    if (targets.count(name.substr(dot + 1)) > 0) return true;
  }
  return false;
}

absl::StatusOr<Targeted> ByNames(const Json& list) {
  std::set<std::string> targets;
  for (const Json& name : list) {
    if (!name.is_string()) return RefuseTargets("expected texts");
    targets.insert(name.get<std::string>());
  }
  return Targeted([targets](const std::string& name) { return NameOrEnding(targets, name); });
}

// Python's re.fullmatch.
absl::StatusOr<Targeted> ByExpression(const std::string& text) {
  SCM_ASSIGN_OR_RETURN(
      const NameExpression match,
      NameExpression::Compile(text, NameExpression::Extent::kWhole, "target_modules"));
  return Targeted([match](const std::string& name) { return match.Matches(name); });
}

absl::StatusOr<Targeted> MakeTargeted(const Json& target_modules) {
  if (target_modules.is_null()) return ByNames(Json::array({"q_proj", "v_proj"}));
  if (target_modules.is_array()) return ByNames(target_modules);
  if (!target_modules.is_string()) return RefuseTargets("expected a list of texts, or a text");
  const std::string text = target_modules.get<std::string>();
  if (absl::AsciiStrToLower(text) != "all-linear") return ByExpression(text);
  return Targeted(
      [](const std::string& name) { return name != kHeadModule && name != kEmbeddingsModule; });
}

}  // namespace

absl::StatusOr<std::vector<std::string>> AdaptedModules(const Json& target_modules,
                                                        const LlamaConfig& config) {
  SCM_ASSIGN_OR_RETURN(const Targeted targeted, MakeTargeted(target_modules));
  for (const char* name : {kHeadModule, kEmbeddingsModule}) {
    SCM_ASSIGN_OR_RETURN(const bool adapts, targeted(name));
    if (!adapts) continue;
    return RefuseTargets(absl::StrCat(DumpJson(target_modules), " adapts ", name,
                                      ", which this program does not; merge the adapter with peft "
                                      "and use the merged model"));
  }
  std::vector<std::string> modules;
  for (const NeededTensor& tensor : NeededTensors(config)) {
    if (!absl::EndsWith(tensor.name, "_proj.weight")) continue;
    std::string name(absl::StripSuffix(tensor.name, ".weight"));
    SCM_ASSIGN_OR_RETURN(const bool adapts, targeted(name));
    if (adapts) modules.push_back(std::move(name));
  }
  if (!modules.empty()) return modules;
  return RefuseTargets(absl::StrCat(DumpJson(target_modules), " names no module of this model"));
}

}  // namespace scm::model
