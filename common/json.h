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

// INVALID_ARGUMENT with the byte position. `what` names the text in the message ("report line 3").
// The bare tokens NaN, Infinity and -Infinity that Python prints are understood as those strings.
// Refused: doubled keys, and nesting deeper than 64.
absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what);
// The same text and the same refusals, but bare non-finite tokens are refused too.
absl::StatusOr<SortedJson> ParseSortedJson(absl::string_view text, absl::string_view what);

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
