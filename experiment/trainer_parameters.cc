#include "experiment/trainer_parameters.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "experiment/parse.h"
#include "experiment/read.h"
#include "experiment/scalar.h"

namespace scm {
namespace experiment_file {
namespace {

constexpr char kSection[] = "trainer.parameters";

void ReadTrainTasks(Section& section, std::vector<std::string>& tasks) {
  const Node* node = section.Child("train_tasks");
  if (node == nullptr) return;
  Findings& findings = section.findings();
  const std::string path = section.PathOf("train_tasks");
  if (node->kind != NodeKind::kList) {
    findings.ErrorAt(
        path, absl::StrCat("expected a list of tasks like [legal_reasoning], ", Found(*node)));
    return;
  }
  TakeTaskNames(*node, path, findings, tasks);
}

void ReadBuiltIn(Section section, TrainerParameters& parameters) {
  section.Read("max_validation_items", parameters.max_validation_items, kCount);
  section.Read("score_tokens", parameters.score_tokens, kCount);
  ReadTrainTasks(section, parameters.train_tasks);
  section.Finish();
}

// One value that the sweep would set, at the place of its range.
void CheckSwept(const std::string& key, const Json& value, Findings& findings) {
  const std::string place = absl::StrCat("sweep.space.", key);
  if (findings.Failed(place)) return;
  const NodePtr tree =
      TreeFromJson(Json{{std::string(absl::StripPrefix(key, absl::StrCat(kSection, "."))), value}});
  Findings found;
  TrainerParameters scratch;
  ReadBuiltIn(Section(tree.get(), kSection, found), scratch);
  if (found.has_errors()) findings.ErrorAt(place, found.SortedErrors()[0].message);
}

}  // namespace

void CheckSweptParameters(const ExperimentSpec& spec, Findings& findings) {
  if (!spec.trainer.built_in() || !spec.sweep || findings.Failed("trainer")) return;
  for (const auto& [key, space] : spec.sweep->space) {
    if (!absl::StartsWith(key, absl::StrCat(kSection, "."))) continue;
    if (const auto* choice = std::get_if<Choice>(&space)) {
      for (const Json& value : choice->values) CheckSwept(key, value, findings);
    } else if (const auto* range = std::get_if<IntUniform>(&space)) {
      for (const int64_t value : {range->low, range->high}) CheckSwept(key, value, findings);
    } else {
      CheckSwept(key, 1, findings);
      const std::string place = absl::StrCat("sweep.space.", key);
      if (findings.Failed(place)) continue;
      findings.ErrorAt(place, "takes whole numbers; use int_uniform: [low, high] or choice: […]");
    }
  }
}

void CheckBuiltInParameters(Section& top, const ExperimentSpec& spec, Findings& findings) {
  if (!spec.trainer.built_in() || findings.Failed("trainer")) return;
  TrainerParameters scratch;
  Section trainer(top.Child("trainer"), "trainer", findings);
  const Node* parameters = trainer.Child("parameters");
  if (parameters != nullptr && parameters->kind == NodeKind::kMap) {
    ReadBuiltIn(Section(parameters, kSection, findings), scratch);
  }
}

}  // namespace experiment_file

TrainerParameters BuiltInParameters(const ExperimentSpec& spec) {
  namespace file = experiment_file;
  TrainerParameters parameters;
  if (!spec.trainer.built_in()) return parameters;
  const file::NodePtr tree = file::TreeFromJson(spec.trainer.parameters);
  file::Findings ignored;  // they were reported when the file was read
  file::ReadBuiltIn(file::Section(tree.get(), file::kSection, ignored), parameters);
  return parameters;
}

}  // namespace scm
