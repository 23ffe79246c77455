// Drafts in LaTeX. No macro of the draft's own is expanded: its arguments are read as text. Pure.
#pragma once

#include "claims/draft.h"

namespace scm::claims {

Draft ReadLatex(absl::string_view text);

}  // namespace scm::claims
