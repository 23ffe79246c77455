// GPT-2's reversible map between bytes and printable characters, in which byte-level vocabularies
// are written: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards ("Ġ" =
// space). Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace scm::model {

// The bytes that `text` (UTF-8) stands for; nullopt when it holds a character outside the map.
std::optional<std::string> BytesFromMapped(absl::string_view text);
std::string MappedFromBytes(absl::string_view bytes);

}  // namespace scm::model
