// Drafts in Markdown (CommonMark's common part, tables and footnotes). Pure.
#pragma once

#include "claims/draft.h"

namespace scm::claims {

Draft ReadMarkdown(absl::string_view text);

}  // namespace scm::claims
