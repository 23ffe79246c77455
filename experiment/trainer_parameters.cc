#include "experiment/trainer_parameters.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "experiment/parse.h"
#include "experiment/reader.h"

namespace scm {
namespace experiment_file {
namespace {

constexpr char kSection[] = "trainer.parameters";

TrainerParameters ReadBuiltIn(const Node* node, Findings& findings) {
  TrainerParameters parameters;
  const Reading reading;
  SectionReader reader(node, kSection, reading, findings);
  Describe(reader, parameters);
  reader.Finish();
  return parameters;
}

// One value that the sweep would set, at the place of its range.
void CheckSwept(const std::string& key, const Json& value, Findings& findings) {
  const std::string place = absl::StrCat("sweep.space.", key);
  if (findings.Failed(place)) return;
  const NodePtr tree =
      TreeFromJson(Json{{std::string(absl::StripPrefix(key, absl::StrCat(kSection, "."))), value}});
  Findings found;
  ReadBuiltIn(tree.get(), found);
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

void CheckBuiltInParameters(const Node& root, const ExperimentSpec& spec, Findings& findings) {
  if (!spec.trainer.built_in() || findings.Failed("trainer")) return;
  const Node* parameters = ChildOf(ChildOf(&root, "trainer"), "parameters");
  if (parameters != nullptr && parameters->kind == NodeKind::kMap) {
    ReadBuiltIn(parameters, findings);
  }
}

}  // namespace experiment_file

TrainerParameters BuiltInParameters(const ExperimentSpec& spec) {
  namespace file = experiment_file;
  if (!spec.trainer.built_in()) return {};
  const file::NodePtr tree = file::TreeFromJson(spec.trainer.parameters);
  file::Findings ignored;  // they were reported when the file was read
  return file::ReadBuiltIn(tree.get(), ignored);
}

}  // namespace scm
