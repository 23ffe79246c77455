// Reads and checks experiment files. One validator serves the YAML a user writes and the canonical
// JSON that scmctl sends (JSON is YAML), so the coordinator trusts nothing it has not checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "experiment/spec.h"

namespace scm {

struct Diagnostic {
  int line = 0;         // 1-based; 0 = the file as a whole
  std::string key;      // dotted, e.g. "training.warmup_steps"
  std::string message;  // what, what was expected, what to do
};

// A model or corpus that the file names, found where it says, for a look inside.
struct NamedInput {
  std::string key, path;
  int line = 0;
  bool corpus = false;  // else a model
};

struct ParsedExperiment {
  std::optional<ExperimentSpec> spec;  // present iff there is no error
  std::vector<Diagnostic> errors;      // every error of the file, in file order
  std::vector<Diagnostic> warnings;
  std::vector<NamedInput> inputs;  // with check_paths only; also when there are errors
};

struct ParseOptions {
  std::string base_directory;  // relative paths are made absolute against it
  bool check_paths = true;     // model, corpus, baselines exist and begin as they should
  bool need_models = true;     // a model that does not exist is an error, not a warning
};

// Pure but for the path checks. Never throws.
ParsedExperiment ParseExperiment(absl::string_view text, const ParseOptions& options);

// The same for a file, with relative paths starting from its directory and all path checks on. A
// file that is missing, a directory or larger than 1 MiB is an error like any other.
ParsedExperiment ParseExperimentFile(const std::string& path);

// "FILE:14: training.learning_rte: unknown key. Did you mean learning_rate?"
std::string FormatDiagnostic(const std::string& file, const Diagnostic& diagnostic);

// Canonical JSON: every key present with its value, paths absolute, in the file's documented order.
// ParseExperiment(DumpJson(SpecToJson(s))) gives back s.
Json SpecToJson(const ExperimentSpec& spec);

// `spec` with a trial's dotted parameters applied ({"training.learning_rate": 0.001}).
// INVALID_ARGUMENT names an unknown key or a value of the wrong type.
absl::StatusOr<ExperimentSpec> ApplyParameters(const ExperimentSpec& spec, const Json& parameters);

}  // namespace scm
