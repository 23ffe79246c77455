// What a Jinja template says, whatever way it is written: two templates with the same form render
// the same. White space around tags, quotes and escapes, a['b'] for a.b, how printed strings are
// put together, comments, {% generation %} marks and what is printed only before an answer that is
// still to come (add_generation_prompt) make no difference. Read as transformers renders:
// trim_blocks and lstrip_blocks on. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::model {

// A text to be compared, or digested; it is no template itself. INVALID_ARGUMENT for a tag or a
// string that does not end, and for a text that is too long for a template.
absl::StatusOr<std::string> JinjaForm(absl::string_view source);

}  // namespace scm::model
