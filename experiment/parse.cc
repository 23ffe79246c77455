#include "experiment/parse.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "experiment/checks.h"
#include "experiment/passed_through.h"
#include "experiment/path_checks.h"
#include "experiment/read_spec.h"
#include "experiment/reader.h"
#include "experiment/trainer_parameters.h"

namespace scm {
namespace experiment_file {
namespace {

// Whose rules hold is said by trainer.command, which comes behind what it rules. False if it is
// wrong; that is reported when its turn comes.
bool PeekTrainer(const Node& root, const Reading& reading, TrainerSpec& trainer) {
  Findings unreported;
  SectionReader top(&root, "", reading, unreported);
  top.Section(Key{"trainer"}, trainer);
  return !unreported.Failed("trainer.command");
}

// Defaults follow from the length of a run, which comes behind some of them.
void PeekLength(const Node& root, const Reading& reading, int64_t epoch_steps,
                TrainingSpec& training) {
  Findings unreported;
  SectionReader top(&root, "", reading, unreported);
  TrainingSpec read;
  top.Section(kTraining, read);
  if (read.epochs && epoch_steps > 0) training.max_steps = epoch_steps;
}

// Values that follow from other sections.
void Complete(const Findings& findings, ExperimentSpec& spec) {
  if (!findings.Has("stages")) spec.stages = DefaultStages(spec);
  if (!spec.sweep) return;
  if (!findings.Has("sweep.mode")) spec.sweep->mode = BetterEnd(spec.sweep->metric);
  if (!findings.Has("sweep.seed")) spec.sweep->seed = DefaultSweepSeed(spec.replicate);
}

// A run's length is given once. What scmctl wrote has both: the epochs, and their steps.
void CheckEpochs(const ExperimentSpec& spec, const ReadOptions& options, Findings& findings) {
  const std::string key = "training.epochs";
  if (!spec.training.epochs || findings.Failed(key)) return;
  if (findings.Has("training.max_steps")) {
    if (options.by_scm) return;
    return findings.ErrorAt(key, "and max_steps are both given. Give one of them");
  }
  if (!spec.trainer.built_in()) {
    return findings.ErrorAt(key,
                            "only what the built-in trainer trains can be counted. Give max_steps "
                            "instead");
  }
  if (options.epoch_steps == 0) {
    findings.ErrorAt(key, "was not counted in steps, which scmctl does. Give max_steps instead");
  }
}

}  // namespace

ParsedExperiment ReadSpec(const Node& root, const ReadOptions& options) {
  Findings findings;
  ExperimentSpec spec;
  std::vector<NamedInput> inputs;
  const Reading reading{.base_directory = options.base_directory,
                        .by_scm = options.by_scm,
                        .stored = options.by_scm && ChildOf(&root, "digests") != nullptr,
                        .accepted = options.accepted};
  SectionReader top(&root, "", reading, findings);
  if (top.present()) {
    if (!PeekTrainer(root, reading, spec.trainer)) {
      for (const char* key : {"model", "data", "lora"}) top.PassOver(key);
    }
    PeekLength(root, reading, options.epoch_steps, spec.training);
    Describe(top, spec);
    top.Finish();
    Complete(findings, spec);
    CheckWhole(spec, findings);
    CheckEpochs(spec, options, findings);
    if (!options.accepted) CheckBuiltInParameters(root, spec, findings);
    if (options.check_paths) {
      CheckPassedThrough(spec, findings);
      CheckSweptParameters(spec, findings);
      inputs = CheckPaths(spec, {options.base_directory, options.need_models}, findings);
    }
  }
  // Only asha compares at rungs; the check above has said so.
  if (spec.sweep && spec.sweep->search != "asha") spec.sweep->rungs.clear();
  ParsedExperiment parsed;
  parsed.errors = findings.SortedErrors();
  parsed.warnings = findings.SortedWarnings();
  parsed.inputs = std::move(inputs);
  parsed.lines = findings.Lines();
  if (parsed.errors.empty()) parsed.spec = std::move(spec);
  return parsed;
}

}  // namespace experiment_file

ParsedExperiment ParseExperiment(absl::string_view text, const ParseOptions& options) {
  namespace file = experiment_file;
  const file::Tree tree = file::ParseTree(text);
  if (tree.error) {
    ParsedExperiment parsed;
    parsed.errors.push_back(*tree.error);
    return parsed;
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  return file::ReadSpec(*tree.root, {.base_directory = options.base_directory,
                                     .check_paths = options.check_paths,
                                     .need_models = options.need_models,
                                     .by_scm = first != text.npos && text[first] == '{',
                                     .accepted = options.accepted,
                                     .epoch_steps = options.epoch_steps});
}

ParsedExperiment ParseExperimentFile(const std::string& path) {
  namespace fs = std::filesystem;
  ParsedExperiment parsed;
  const auto fail = [&parsed](std::string message) {
    parsed.errors.push_back({0, "", std::move(message)});
    return parsed;
  };
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return fail("there is no such file");
  if (error) return fail(absl::StrCat("cannot be read: ", error.message()));
  if (status.type() == fs::file_type::directory) {
    return fail("is a directory; give the experiment file itself");
  }
  // One byte beyond the limit is enough for the parser to refuse it.
  const absl::StatusOr<std::string> text = ReadFileAt(path, 0, experiment_file::kMaxFileBytes + 1);
  if (!text.ok()) return fail(std::string(text.status().message()));
  const fs::path absolute = fs::absolute(path, error);
  if (error) return fail(absl::StrCat("has no absolute path: ", error.message()));
  return ParseExperiment(*text,
                         {.base_directory = absolute.parent_path().string(), .check_paths = true});
}

std::string FormatDiagnostic(const std::string& file, const Diagnostic& diagnostic) {
  std::string text = file;
  if (diagnostic.line > 0) absl::StrAppend(&text, ":", diagnostic.line);
  absl::StrAppend(&text, ": ");
  if (!diagnostic.key.empty()) absl::StrAppend(&text, diagnostic.key, ": ");
  return absl::StrCat(text, diagnostic.message);
}

}  // namespace scm
