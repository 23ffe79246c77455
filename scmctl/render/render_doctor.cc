#include <algorithm>

#include "absl/strings/str_cat.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

constexpr int kWidth = 100;
constexpr int kName = 13, kState = 9;

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

std::string RenderDoctor(const Json& answer, const Terminal& terminal) {
  const int width = terminal.interactive ? std::min(terminal.width, kWidth) : kWidth;
  const std::string indent(kName + kState, ' ');
  std::string out;
  for (const Json& check : MemberAt(answer, "checks")) {
    const std::string state = StringAt(check, "state");
    std::string begin = absl::StrCat(Padded(StringAt(check, "check"), kName),
                                     ColourState(state, Padded(state, kState), terminal.colour));
    for (const char* key : {"text", "advice"}) {
      const std::string text = StringAt(check, key);
      if (text.empty()) continue;
      const bool advice = key[0] == 'a';
      const int room = std::max(20, width - kName - kState);
      for (const std::string& line : Wrap(advice ? absl::StrCat("→ ", text) : text, room)) {
        absl::StrAppend(&out, begin, line, "\n");
        begin = indent;
      }
    }
  }
  absl::StrAppend(&out, "\n",
                  BoolAt(answer, "healthy", false)
                      ? "Nothing is wrong.\n"
                      : "Something is wrong: see the problems above.\n");
  return out;
}

}  // namespace scm::ctl
