// Every key of the experiment file as text: what the table in docs/experiment-file.md says of it,
// and whether a sweep may vary it. Read off experiment/describe.h. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace scm::experiment_file {

enum class ParameterType { kNumber, kInteger, kWord, kList, kAny };

struct KeyRow {
  std::string section;  // "training", "trainer.parameters"; "" for the file itself
  std::string key;      // within it: "batch_size", "early_stopping.patience", "baselines[].name"
  std::string type;     // "whole number 1–4096"
  std::string initial;  // the default: "16", "none", "required"
  std::string meaning;  // one sentence
  std::optional<ParameterType> swept;  // nullopt: no sweep varies it
  bool shared = false;                 // runs that train in one process agree in it
};

// In the order of the canonical form, with the rules of the built-in trainer; its parameters last.
const std::vector<KeyRow>& AllKeys();

}  // namespace scm::experiment_file
