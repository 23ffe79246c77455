#include "report/merge_evaluations.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace scm::report {
namespace {

// What must be the same in every part: the test, not who took it.
constexpr const char* kCommon[] = {"version", "split", "tasks", "answer_chance_loss"};
constexpr const char* kByModel[] = {"scores", "loss", "latency"};

int RankOfKind(const Json& model) {
  const std::string kind = StringAt(model, "kind");
  return kind == "base" ? 0 : kind == "seed" ? 1 : kind == "model" ? 2 : 3;
}

void AddMemory(const Json& part, Json& memory) {
  for (auto it = part.begin(); it != part.end(); ++it) {
    if (!it.value().is_number()) {
      if (!memory.contains(it.key())) memory[it.key()] = it.value();
    } else if (!MemberAt(memory, it.key()).is_number() ||
               memory[it.key()].get<double>() < it.value().get<double>()) {
      memory[it.key()] = it.value();
    }
  }
}

}  // namespace

absl::StatusOr<Json> MergeEvaluations(const std::vector<Json>& parts) {
  if (parts.empty()) return Json();
  Json merged = parts.front();
  std::map<std::string, const Json*> part_of;  // by model
  Json models = Json::array(), memory = Json::object();
  Json inputs = Json::array();
  bool demonstration = false;
  for (const Json& part : parts) {
    for (const char* key : kCommon) {
      if (MemberAt(part, key) == MemberAt(merged, key)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("evaluation.json: ", key, ": the parts differ. Do they belong to one ",
                       "experiment, and did the corpus change between them?"));
    }
    for (const Json& model : MemberAt(part, "models")) {
      if (!part_of.emplace(StringAt(model, "name"), &part).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            "evaluation.json: models: ", StringAt(model, "name"), " stands in two parts"));
      }
      models.push_back(model);
    }
    for (const Json& input : MemberAt(part, "inputs")) {
      if (std::find(inputs.begin(), inputs.end(), input) == inputs.end()) inputs.push_back(input);
    }
    AddMemory(MemberAt(part, "memory"), memory);
    demonstration = demonstration || BoolAt(part, "demonstration", false);
  }
  std::stable_sort(models.begin(), models.end(),
                   [](const Json& a, const Json& b) { return RankOfKind(a) < RankOfKind(b); });
  for (const char* key : kByModel) {
    merged[key] = Json::object();
    for (const Json& model : models) {
      const std::string name = StringAt(model, "name");
      const Json& found = MemberAt(MemberAt(*part_of.at(name), key), name);
      if (!found.is_null()) merged[key][name] = found;
    }
  }
  merged["models"] = std::move(models);
  merged["memory"] = std::move(memory);
  if (!inputs.empty()) merged["inputs"] = std::move(inputs);
  merged["demonstration"] = demonstration;
  return merged;
}

}  // namespace scm::report
