// Reads and checks experiment files. One validator serves the YAML a user writes and the canonical
// JSON that scmctl sends (JSON is YAML), so the coordinator trusts nothing it has not checked.
#pragma once

#include <map>
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

// A model, adapter, corpus or file of predictions that the file names, found where it says, for a
// look inside.
struct NamedInput {
  enum class Kind { kModel, kAdapter, kCorpus, kPredictions };
  std::string key, path;
  int line = 0;
  Kind kind = Kind::kModel;
};

struct ParsedExperiment {
  std::optional<ExperimentSpec> spec;  // present iff there is no error
  std::vector<Diagnostic> errors;      // every error of the file, in file order
  std::vector<Diagnostic> warnings;
  std::vector<NamedInput> inputs;    // with check_paths only; also when there are errors
  std::map<std::string, int> lines;  // where each key of the file stands
  std::string packing;               // which runs share a process, and why
};

struct ParseOptions {
  std::string base_directory;  // relative paths are made absolute against it
  bool check_paths = true;     // model, corpus, baselines exist and begin as they should
  // A model, or a file of predictions, that does not exist is an error, not a warning.
  bool need_models = true;
  // Accepted by an earlier version, perhaps: what was no error then is none now.
  bool accepted = false;
  // What training.epochs come to in steps. 0: nobody has counted, so a file that gives epochs must
  // give max_steps too, which only scmctl's own does.
  int64_t epoch_steps = 0;
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

// What the built-in programs read of a spec: its typed sections or, with a trainer of one's own,
// what `evaluate` and `export` will find in those that are passed through. nullopt where no
// built-in program reads the section, or where it holds nothing that one could read.
std::optional<ModelSpec> ModelForBuiltIns(const ExperimentSpec& spec);
std::optional<DataSpec> DataForBuiltIns(const ExperimentSpec& spec);
// trainer.parameters of the built-in trainer; the defaults with another.
TrainerParameters BuiltInParameters(const ExperimentSpec& spec);

// `spec` with a trial's dotted parameters applied ({"training.learning_rate": 0.001}).
// INVALID_ARGUMENT names an unknown key or a value of the wrong type.
absl::StatusOr<ExperimentSpec> ApplyParameters(const ExperimentSpec& spec, const Json& parameters);
// Whether trials that differ in this parameter cannot train in one process: it decides what runs of
// one process share. With a trainer of one's own that is the precision and its data.
bool PartsTrials(const TrainerSpec& trainer, const std::string& parameter);

}  // namespace scm
