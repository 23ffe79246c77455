// One JSON object of a corpus file, read field by field; each problem is noted with its place.
// Internal to the loader.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"
#include "corpus/item.h"

namespace scm::corpus {

// Notes a problem with a field ("" = the line as a whole).
using ProblemSink = std::function<void(absl::string_view field, absl::string_view message)>;

class CorpusRecord {
 public:
  // `object` outlives the record.
  CorpusRecord(const Json& object, ProblemSink error, ProblemSink warning);

  // A non-empty string; nullopt after an error has been noted.
  std::optional<std::string> Text(const std::string& key);
  // The same for a key that may be missing or null: then "" without a problem.
  std::string OptionalText(const std::string& key);
  // A Text of [A-Za-z0-9._:-]+.
  std::optional<std::string> Identifier(const std::string& key);
  // A day, YYYY-MM-DD, or "".
  std::string OptionalDay(const std::string& key);
  bool OptionalBool(const std::string& key);
  // At least `smallest` non-empty strings, no two the same.
  std::optional<std::vector<std::string>> Texts(const std::string& key, size_t smallest);
  // An index below `bound`, or a non-empty list of different ones; `*list` says which it was.
  std::optional<std::vector<int64_t>> Indices(const std::string& key, int64_t bound, bool* list);

  // A conversation: roles in order, nothing blank, the last turn the assistant's.
  std::optional<std::vector<Message>> Messages(const std::string& key);
  // Whether the member is there and not null.
  bool Has(const std::string& key) { return Find(key) != nullptr; }

  void Error(absl::string_view field, absl::string_view message) { error_(field, message); }
  void Warning(absl::string_view field, absl::string_view message) { warning_(field, message); }
  // Warns of every key that nobody asked for.
  void WarnOfUnknownKeys();

 private:
  // The member, or nullptr when it is missing or null.
  const Json* Find(const std::string& key);

  const Json& object_;
  ProblemSink error_, warning_;
  std::set<std::string> asked_;
};

// Whether `day` is a real day written YYYY-MM-DD.
bool IsDay(absl::string_view day);

}  // namespace scm::corpus
