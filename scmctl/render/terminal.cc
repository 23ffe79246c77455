#include "scmctl/render/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace scm::ctl {

namespace {

// The code point that begins at `at`, which moves behind it. A byte that begins none counts as one.
char32_t NextCodePoint(const std::string& text, size_t& at) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(at);
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
  char32_t point = more == 0 ? first : first & (0x3Fu >> more);
  ++at;
  for (int i = 0; i < more && (byte(at) & 0xC0) == 0x80; ++i, ++at) {
    point = point << 6 | (byte(at) & 0x3F);
  }
  return point;
}

// The blocks that a terminal draws in no column or in two; names of people and places need no more.
int CodePointWidth(char32_t c) {
  const auto in = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  if (in(0x0300, 0x036F) || in(0x200B, 0x200F) || in(0x20D0, 0x20FF) || in(0xFE00, 0xFE0F))
    return 0;
  if (in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) || in(0xF900, 0xFAFF) ||
      in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) || in(0x1F300, 0x1F6FF) ||
      in(0x1F900, 0x1F9FF) || in(0x20000, 0x3FFFD)) {
    return 2;
  }
  return 1;
}

}  // namespace

bool UseColour(bool interactive, const char* no_colour, const char* term) {
  const bool refused = no_colour != nullptr && *no_colour != '\0';
  const bool dumb = term == nullptr || std::string(term) == "dumb";
  return interactive && !refused && !dumb;
}

Terminal DetectTerminal() {
  Terminal terminal;
  terminal.interactive = isatty(STDOUT_FILENO) != 0;
  terminal.colour = UseColour(terminal.interactive, std::getenv("NO_COLOR"), std::getenv("TERM"));
  winsize size{};
  if (terminal.interactive && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    terminal.width = size.ws_col;
    if (size.ws_row > 0) terminal.height = size.ws_row;
  }
  return terminal;
}

std::string ColourState(const std::string& word, const std::string& text, bool colour) {
  if (!colour) return text;
  const char* code = "";
  if (word == "SUCCEEDED" || word == "READY" || word == "passed" || word == "go" || word == "ok") {
    code = "32";
  }
  if (word == "RUNNING" || word == "ASSIGNED" || word == "STOPPING") code = "36";
  if (word == "PAUSED" || word == "DRAINING" || word == "not_judged" || word == "warning") {
    code = "33";
  }
  if (word == "FAILED" || word == "ABORTED" || word == "LOST" || word == "QUARANTINED" ||
      word == "failed" || word == "no_go" || word == "problem") {
    code = "31";
  }
  if (word == "PENDING" || word == "SKIPPED" || word == "CANCELLED") code = "90";
  return *code == '\0' ? text : absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

int DisplayWidth(const std::string& text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) width += CodePointWidth(NextCodePoint(text, at));
  return width;
}

std::string Fit(const std::string& text, int width) {
  if (DisplayWidth(text) <= width) return text;
  if (width <= 0) return "";
  size_t end = 0;
  int columns = 0;
  for (size_t at = 0; at < text.size(); end = at) {
    columns += CodePointWidth(NextCodePoint(text, at));
    if (columns >= width) break;  // one column is the mark's
  }
  return absl::StrCat(text.substr(0, end), "…");
}

std::vector<std::string> Wrap(const std::string& text, int width) {
  std::vector<std::string> lines;
  for (absl::string_view paragraph : absl::StrSplit(text, '\n')) {
    std::string line;
    int columns = 0;
    for (absl::string_view word : absl::StrSplit(paragraph, ' ', absl::SkipEmpty())) {
      const int wide = DisplayWidth(std::string(word));
      if (!line.empty() && columns + 1 + wide > width) {
        lines.push_back(std::move(line));
        line.clear();
      }
      columns = line.empty() ? wide : columns + 1 + wide;
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
    lines.push_back(std::move(line));
  }
  return lines;
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

}  // namespace scm::ctl
