// What the tests of the experiment file share: a small valid file, and findings as plain lines.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "experiment/parse.h"

namespace scm {

// Four lines that make a valid experiment; what a test adds begins on line 5.
inline constexpr char kValid[] =
    "name: t\n"
    "model: {base: m.gguf}\n"
    "data: {corpus: c}\n"
    "replicate: {seeds: [11, 12]}\n";

// The same for a trainer of one's own, which needs no model.
inline constexpr char kValidCustom[] =
    "name: t\n"
    "trainer: {command: [python3, train.py]}\n"
    "training: {max_steps: 40, save_steps: 10, eval_steps: 5}\n"
    "replicate: {seeds: [11, 12]}\n";

inline ParsedExperiment Parse(const std::string& text) {
  return ParseExperiment(text, {.base_directory = "/base", .check_paths = false});
}

inline std::vector<std::string> Lines(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostic& d : diagnostics) lines.push_back(FormatDiagnostic("f", d));
  return lines;
}

inline std::vector<std::string> Errors(const std::string& text) {
  return Lines(Parse(text).errors);
}

inline std::vector<std::string> Warnings(const std::string& text) {
  return Lines(Parse(text).warnings);
}

}  // namespace scm
