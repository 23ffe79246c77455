#include "experiment/parse.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "experiment/checks.h"
#include "experiment/passed_through.h"
#include "experiment/path_checks.h"
#include "experiment/read.h"
#include "experiment/read_spec.h"
#include "experiment/scalar.h"
#include "experiment/trainer_parameters.h"

namespace scm {
namespace experiment_file {
namespace {

constexpr size_t kLongestName = 64;
// Letters of the ids that commands take as well as names (common/ids.h).
constexpr absl::string_view kIdLetters = "ertkcwl";

bool LooksLikeId(const std::string& name) {
  int64_t number;
  return name.size() > 2 && name[1] == '-' && kIdLetters.find(name[0]) != kIdLetters.npos &&
         absl::SimpleAtoi(name.substr(2), &number);
}

// `name` with everything that a name may not hold replaced.
std::string Slug(const std::string& name) {
  std::string slug;
  for (unsigned char c : name.substr(0, kLongestName)) {
    const bool good = absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
    if (good && !(slug.empty() && !absl::ascii_isalnum(c))) slug += static_cast<char>(c);
    if (!good && !slug.empty() && slug.back() != '-') slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

void ReadName(Section& top, std::string& name) {
  if (!top.Read("name", name)) {
    if (!top.findings().Failed("name")) top.Missing("name", "Give the experiment a name");
    return;
  }
  const bool simple = name.size() <= kLongestName && absl::ascii_isalnum(name[0]) &&
                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                        return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
                      });
  if (!simple) {
    const std::string slug = Slug(name);
    top.findings().ErrorAt(
        "name", absl::StrCat("may hold letters, digits, '.', '_' and '-', begins with a letter or "
                             "digit and has at most ",
                             kLongestName, " of them",
                             slug.empty() ? "" : absl::StrCat(". For example ", slug)));
  } else if (LooksLikeId(name)) {
    top.findings().ErrorAt("name", absl::StrCat(name,
                                                " looks like an id that scm gives. Choose "
                                                "another, for example x",
                                                name));
  }
}

// The stages asked for; empty if none were, or if they are wrong.
std::vector<StageKind> ReadStages(Section& top) {
  Words names;
  for (StageKind stage : kAllStages) names.allowed.push_back(StageName(stage));
  std::vector<std::string> words;
  if (!top.Read("stages", words, names)) return {};
  std::vector<StageKind> stages;
  for (const std::string& word : words) stages.push_back(*StageFromName(word));
  for (size_t i = 1; i < stages.size(); ++i) {
    if (stages[i] > stages[i - 1]) continue;
    std::sort(stages.begin(), stages.end());
    std::string order;
    for (StageKind stage : stages) {
      absl::StrAppend(&order, order.empty() ? "" : ", ", StageName(stage));
    }
    top.findings().ErrorAt("stages", absl::StrCat(words[i], " comes before ", words[i - 1],
                                                  ". The order is [", order, "]"));
    return {};
  }
  return stages;
}

void ReadCheck(Section section, const TrainingSpec& training, CheckSpec& check) {
  // A default must not make a short run impossible.
  check.steps = std::min(check.steps, training.max_steps);
  section.Read("steps", check.steps, kCount);
  section.Finish();
}

void ReadRetries(Section section, RetriesSpec& retries) {
  section.Read("max", retries.max, {0, 1000});
  section.Finish();
}

void ReadDigests(Section& top, bool json_form, Json& digests) {
  Presence presence;
  Section section = top.Sub("digests", presence);
  if (presence != Presence::kGiven) return;
  if (!json_form) {
    top.findings().ErrorAt("digests", "is written by scmctl when it submits. Remove it");
    return;
  }
  for (const char* key : {"corpus", "model"}) {
    std::string digest;
    if (section.Read(key, digest)) digests[key] = digest;
  }
  const Node* inputs = section.Child("inputs");
  if (inputs != nullptr && inputs->kind == NodeKind::kList) {
    digests["inputs"] = ToJson(*inputs);
  } else if (inputs != nullptr) {
    top.findings().ErrorAt("digests.inputs", absl::StrCat("expected a list, ", Found(*inputs)));
  }
  section.Finish();
}

// What the training needs: typed for the built-in trainer, as it is for another.
void ReadInputs(Section& top, const std::string& base, ExperimentSpec& spec) {
  if (top.findings().Failed("trainer.command")) {
    // Whose rules hold is not known: only note that these keys exist.
    for (const char* key : {"model", "data", "lora"}) top.Child(key);
  } else if (spec.trainer.built_in()) {
    ReadModel(top, base, spec);
    ReadData(top, base, spec);
    ReadLora(top.Sub("lora"), spec.lora);
  } else {
    ReadOpaqueSections(top, spec);
  }
}

// Values that follow from other sections.
void Complete(const Findings& findings, std::vector<StageKind> stages, ExperimentSpec& spec) {
  spec.stages = findings.Has("stages") ? std::move(stages) : DefaultStages(spec);
  if (spec.sweep && !findings.Has("sweep.seed")) {
    spec.sweep->seed = DefaultSweepSeed(spec.replicate);
  }
}

// The canonical form has every key (`digests` is its mark), so one that lacks a key was accepted
// before the key existed. It goes on as it began: a resumed run must see the same tokens.
void KeepOldMeaning(const Findings& findings, ExperimentSpec& spec) {
  if (!findings.Has("digests") || !spec.data) return;
  if (!findings.Has("data.end_token")) spec.data->end_token = false;
}

}  // namespace

ParsedExperiment ReadSpec(const Node& root, const ReadOptions& options) {
  const std::string& base = options.base_directory;
  Findings findings;
  ExperimentSpec spec;
  std::vector<NamedInput> inputs;
  Section top(&root, "", findings);
  if (top.present()) {
    ReadName(top, spec.name);
    std::vector<StageKind> stages = ReadStages(top);
    ReadTrainer(top, base, spec.trainer);
    ReadInputs(top, base, spec);
    ReadTraining(top.Sub("training"), spec.training);
    ReadCheck(top.Sub("check"), spec.training, spec.check);
    ReadSweep(top, spec.trainer, spec);
    ReadReplicate(top, spec.replicate);
    ReadAbort(top, spec.abort);
    ReadBudget(top, spec);
    ReadTimeline(top, spec);
    ReadRetries(top.Sub("retries"), spec.retries);
    ReadResources(top, spec.resources);
    ReadEvaluation(top, base, spec);
    ReadExport(top, spec);
    ReadDigests(top, options.json_form, spec.digests);
    top.Finish();
    Complete(findings, std::move(stages), spec);
    if (options.json_form) KeepOldMeaning(findings, spec);
    CheckWhole(spec, findings);
    if (!options.accepted) CheckBuiltInParameters(top, spec, findings);
    if (options.check_paths) {
      CheckPassedThrough(spec, findings);
      CheckSweptParameters(spec, findings);
      inputs = CheckPaths(spec, {base, options.need_models}, findings);
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
                                     .json_form = first != text.npos && text[first] == '{',
                                     .accepted = options.accepted});
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
