#include "scmctl/render/live_screen.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace scm::ctl {

std::string LiveScreen::Redraw(const std::string& text) {
  std::string out;
  if (lines_ > 0) absl::StrAppend(&out, "\x1b[", lines_, "A\r");
  lines_ = 0;
  for (absl::string_view line : absl::StrSplit(absl::StripSuffix(text, "\n"), '\n')) {
    absl::StrAppend(&out, line, "\x1b[K\n");  // clears what is left of the old line
    ++lines_;
  }
  return absl::StrCat(out, "\x1b[J");
}

}  // namespace scm::ctl
