#include "claims/draft.h"

#include "claims/latex.h"
#include "claims/markdown.h"

namespace scm::claims {

Draft ReadDraft(absl::string_view text, DraftFormat format) {
  return format == DraftFormat::kMarkdown ? ReadMarkdown(text) : ReadLatex(text);
}

}  // namespace scm::claims
