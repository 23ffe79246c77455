// What a single value of an experiment file means. YAML leaves it to the reader whether 010, yes or
// 1e3 is a number: here the rules are JSON's, plus exponents without a decimal point.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/json.h"
#include "experiment/tree.h"

namespace scm::experiment_file {

// Each is nullopt for a value of another type. Quoted text is never a number or a boolean, and a
// boolean is never a number.
std::optional<bool> AsBool(const Node& node);                 // true, false
std::optional<int64_t> AsInteger(const Node& node);           // 12, 2e3, 12.0
std::optional<double> AsNumber(const Node& node);             // 0.5, 2.0e-4, 1e-3, 7; finite only
std::optional<std::string> AsText(const Node& node);          // a word, or anything in quotes
std::optional<std::string> AsWordOrNumber(const Node& node);  // any scalar, as it was written

// Whether the value says that there is none: `none`, null or ~.
bool IsNone(const Node& node);

// For messages: `found 12`, `found "12", which is text because of the quotes`, `found a list`.
std::string Found(const Node& node);

// The value as JSON, for what is passed through unchecked. Non-finite numbers become the strings of
// common/json.h; of a doubled key the last counts (the caller reports it).
Json ToJson(const Node& node);

}  // namespace scm::experiment_file
