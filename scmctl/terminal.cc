#include "scmctl/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace scm {

Terminal DetectTerminal() {
  Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) != 0;
  const char* no_colour = std::getenv("NO_COLOR");
  terminal.colour = terminal.interactive && (no_colour == nullptr || *no_colour == '\0');
  winsize size{};
  if (terminal.interactive && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
  }
  return terminal;
}

std::string ColourState(const std::string& word, const std::string& text, bool colour) {
  if (!colour) return text;
  const char* code = "";
  if (word == "SUCCEEDED" || word == "READY" || word == "passed" || word == "go") code = "32";
  if (word == "RUNNING" || word == "ASSIGNED" || word == "STOPPING") code = "36";
  if (word == "PAUSED" || word == "DRAINING" || word == "not_judged") code = "33";
  if (word == "FAILED" || word == "ABORTED" || word == "LOST" || word == "QUARANTINED" ||
      word == "failed" || word == "no_go") {
    code = "31";
  }
  if (word == "PENDING" || word == "SKIPPED" || word == "CANCELLED") code = "90";
  return *code == '\0' ? text : absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

int DisplayWidth(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Fit(const std::string& text, int width) {
  if (DisplayWidth(text) <= width) return text;
  if (width <= 0) return "";
  size_t end = 0;
  for (int columns = 0; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xC0) != 0x80 && ++columns == width) break;
  }
  return absl::StrCat(text.substr(0, end), "…");
}

std::string Bar(double ratio, int width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::isfinite(ratio) ? std::clamp(ratio, 0.0, 1.0) : 0;
  const int eighths = static_cast<int>(clamped * width * 8 + 0.5);
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kEighths[eighths % 8];
  bar.append(width - eighths / 8 - (eighths % 8 ? 1 : 0), ' ');
  return bar;
}

}  // namespace scm
