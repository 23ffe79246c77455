// Typed reading of a JSON object that collects every problem with its dotted key instead of
// stopping at the first one. Pure; one owner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/json.h"
#include "experiment/keys.h"

namespace scm::trainer {

// The problems found so far, shared by all readers of one document.
class FieldProblems {
 public:
  void Add(const std::string& key, const std::string& message);
  bool empty() const { return problems_.empty(); }
  // OK, or INVALID_ARGUMENT naming `what` and every problem, one a line.
  absl::Status ToStatus(const std::string& what) const;

 private:
  std::vector<std::string> problems_;
};

// Reads members of one object. A member of the wrong type or out of range is a problem and gives
// the default; a missing one gives the default and is a problem only for the Required… functions.
class Fields {
 public:
  // `object` must outlive the reader; null or missing objects read as empty ones.
  Fields(const Json& object, std::string path, FieldProblems* problems);

  bool Has(const std::string& key) const;   // present and not null
  bool Says(const std::string& key) const;  // present, null included
  Fields Object(const std::string& key) const;
  std::vector<Fields> Objects(const std::string& key) const;  // of a list
  const Json& Raw(const std::string& key) const;

  std::string RequiredText(const std::string& key) const;
  std::string Text(const std::string& key, const std::string& otherwise) const;
  // One of `allowed`.
  std::string Word(const std::string& key, const std::string& otherwise,
                   const std::vector<std::string>& allowed) const;
  int64_t RequiredInteger(const std::string& key, int64_t low) const;  // at least `low`
  int64_t Integer(const std::string& key, int64_t otherwise, int64_t low) const;
  int64_t Integer(const std::string& key, int64_t otherwise,
                  const experiment_file::IntegerRule& rule) const;
  // Finite.
  double Number(const std::string& key, double otherwise,
                const experiment_file::NumberRule& rule) const;
  bool Boolean(const std::string& key, bool otherwise) const;
  // nullopt if there is none, or no list of texts (a problem).
  std::optional<std::vector<std::string>> Texts(const std::string& key) const;
  std::string Path(const std::string& key) const;  // "training.warmup_steps"
  void Problem(const std::string& key, const std::string& message) const;

 private:
  const Json* object_;
  std::string path_;
  FieldProblems* problems_;
};

}  // namespace scm::trainer
