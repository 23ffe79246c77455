#include "experiment/passed_through.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "experiment/parse.h"
#include "experiment/reader.h"
#include "experiment/tree.h"

namespace scm {
namespace experiment_file {
namespace {

// What the built-in programs find in a section that is passed through, and what is wrong with it.
ExperimentSpec ReadPassedThrough(const std::string& key, const Json& section, Findings& found) {
  ExperimentSpec scratch;
  const NodePtr tree = TreeFromJson(section.is_null() ? Json::object() : Json{{key, section}});
  const Reading reading{.any_key = true};
  SectionReader top(tree.get(), "", reading, found);
  if (key == "model") {
    top.Section(kModel, scratch.model);
  } else {
    top.Section(kData, scratch.data);
  }
  return scratch;
}

bool Evaluates(const ExperimentSpec& spec) {
  return !spec.trainer.built_in() && spec.HasStage(StageKind::kEvaluate);
}

bool UsesModel(const ExperimentSpec& spec) {
  return Evaluates(spec) || (!spec.trainer.built_in() && spec.HasStage(StageKind::kExport));
}

void CheckSection(const char* key, const Json& section, const char* stage, Findings& findings) {
  if (findings.Failed(key)) return;
  Findings found;
  ReadPassedThrough(key, section, found);
  for (const Diagnostic& error : found.SortedErrors()) {
    findings.ErrorAt(error.key, absl::StrCat(error.message, " (the stage ", stage,
                                             " is carried out by the built-in programs, which "
                                             "read this)"));
  }
}

// Paths in these sections are passed through as they are, and programs start somewhere else.
void CheckAbsolute(const std::string& key, const Json& path, Findings& findings) {
  if (!path.is_string() || findings.Failed(key)) return;
  const std::string text = path.get<std::string>();
  if (text.empty() || absl::StartsWith(text, "/")) return;
  findings.ErrorAt(key, absl::StrCat(text,
                                     " is relative, and with a trainer of one's own it is handed "
                                     "on as it is. Write the whole path"));
}

}  // namespace

void CheckPassedThrough(const ExperimentSpec& spec, Findings& findings) {
  if (findings.Failed("stages") || !UsesModel(spec)) return;
  const char* stage = Evaluates(spec) ? "evaluate" : "export";
  // Its absence is said where the stages are checked.
  if (!spec.opaque_model.is_null()) {
    CheckSection("model", spec.opaque_model, stage, findings);
    for (const char* key : {"base", "fallback"}) {
      CheckAbsolute(absl::StrCat("model.", key), MemberAt(spec.opaque_model, key), findings);
    }
  }
  if (!Evaluates(spec)) return;
  CheckSection("data", spec.opaque_data, stage, findings);
  CheckAbsolute("data.corpus", MemberAt(spec.opaque_data, "corpus"), findings);
}

}  // namespace experiment_file

std::optional<ModelSpec> ModelForBuiltIns(const ExperimentSpec& spec) {
  namespace file = experiment_file;
  if (spec.model || !file::UsesModel(spec)) return spec.model;
  file::Findings found;
  ExperimentSpec read = file::ReadPassedThrough("model", spec.opaque_model, found);
  return found.has_errors() ? std::nullopt : read.model;
}

std::optional<DataSpec> DataForBuiltIns(const ExperimentSpec& spec) {
  namespace file = experiment_file;
  if (spec.data || !file::Evaluates(spec)) return spec.data;
  file::Findings found;
  ExperimentSpec read = file::ReadPassedThrough("data", spec.opaque_data, found);
  return found.has_errors() ? std::nullopt : read.data;
}

}  // namespace scm
