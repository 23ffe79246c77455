// What is wrong with one experiment file, collected while it is read: every problem once, sorted by
// its place at the end. Also remembers where each key stands, so that a check between two sections
// can point at a line.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "experiment/parse.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

class Findings {
 public:
  void Error(const Place& place, std::string key, std::string message);
  void Warning(const Place& place, std::string key, std::string message);

  // The same at the place of `key`, or of the nearest section around it that the file has.
  void ErrorAt(const std::string& key, std::string message);
  void WarningAt(const std::string& key, std::string message);

  // Called by the reader for every key of the file.
  void NoteKey(const std::string& key, const Place& place) { places_.emplace(key, place); }
  // Whether the file has this dotted key.
  bool Has(const std::string& key) const { return places_.count(key) > 0; }
  // The line that ErrorAt would give.
  int LineOf(const std::string& key) const { return PlaceOf(key).line; }
  // Whether `key` or anything in it has an error, so that its value is not to be trusted further.
  bool Failed(const std::string& key) const;

  // Every key of the file with its line.
  std::map<std::string, int> Lines() const;

  bool has_errors() const { return !errors_.empty(); }
  std::vector<Diagnostic> SortedErrors() const { return Sorted(errors_); }
  std::vector<Diagnostic> SortedWarnings() const { return Sorted(warnings_); }

 private:
  struct Finding {
    Place place;
    Diagnostic diagnostic;
  };
  Place PlaceOf(absl::string_view key) const;
  static std::vector<Diagnostic> Sorted(std::vector<Finding> findings);

  std::vector<Finding> errors_, warnings_;
  std::map<std::string, Place> places_;
  std::set<std::string> failed_;
};

}  // namespace scm::experiment_file
