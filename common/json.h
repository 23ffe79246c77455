// JSON as the whole project reads and writes it: nlohmann's, no exceptions across this interface,
// and one convention for non-finite numbers (the strings "NaN", "Infinity", "-Infinity").
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace scm {

// Ordered, so that files and listings keep the order in which they were written.
using Json = nlohmann::ordered_json;
// For files with thousands of keys (tokenizer.json, safetensors headers), where the linear look-up
// of ordered members would take minutes. Members come sorted by key.
using SortedJson = nlohmann::json;

// How much one text may make its reader build.
struct JsonLimits {
  int depth = 64;              // of nesting
  size_t values = 50'000'000;  // objects, arrays and scalars in all
};

// INVALID_ARGUMENT with the byte position and the key at which it stands. `what` names the text in
// the message ("report line 3").
// Linear in the text's length. Strict: besides what JSON forbids, doubled keys, NUL bytes, and what
// goes beyond `limits` are refused.
absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what,
                               const JsonLimits& limits = {});
absl::StatusOr<SortedJson> ParseSortedJson(absl::string_view text, absl::string_view what,
                                           const JsonLimits& limits = {});
// For the lines of trainers alone (docs/trainer-protocol.md): the bare tokens NaN, Infinity and
// -Infinity, which Python prints, are understood as those strings; ill-formed UTF-8 and lone
// surrogates become U+FFFD, so that a last word keeps its kind and message.
absl::StatusOr<Json> ParseReportJson(absl::string_view line, absl::string_view what,
                                     const JsonLimits& limits = {});

// JSON text; ill-formed UTF-8 becomes U+FFFD, so this cannot throw. `indent` -1: one line.
std::string DumpJson(const Json& json, int indent = -1);
std::string DumpJson(const SortedJson& json, int indent = -1);

// A copy whose texts and keys show on a terminal as they are (common/text.h).
Json CleanTexts(const Json& json);

// A number, or the string that stands for a non-finite one.
Json JsonNumber(double value);
// The number in `value`, non-finite strings included; nullopt for anything else.
std::optional<double> NumberFromJson(const Json& value);

// Typed access with a default for a missing or null key. A key of another type gives the default.
std::string StringAt(const Json& object, absl::string_view key, absl::string_view otherwise = "");
double NumberAt(const Json& object, absl::string_view key, double otherwise);
int64_t IntegerAt(const Json& object, absl::string_view key, int64_t otherwise);
bool BoolAt(const Json& object, absl::string_view key, bool otherwise);
// The member, or a null value that lives forever.
const Json& MemberAt(const Json& object, absl::string_view key);

}  // namespace scm
