// What the terminal can do: width, colour, redrawing. Read once at start.
#pragma once

#include <string>
#include <vector>

namespace scm::ctl {

struct Terminal {
  bool interactive = false;  // standard output is a terminal
  bool colour = false;       // see UseColour
  int width = 80;
  int height = 24;
};

Terminal DetectTerminal();

// Only on a terminal that can, and not where NO_COLOR is set to anything. Null: not set.
bool UseColour(bool interactive, const char* no_colour, const char* term);

// State words carry the only colour: green, yellow, red, grey. Unchanged without colour.
std::string ColourState(const std::string& word, const std::string& text, bool colour);

// Columns that UTF-8 text takes on a terminal: East Asian wide characters and emoji two, combining
// marks none, all others one.
int DisplayWidth(const std::string& text);

// At most `width` columns, the last one "…" where something was cut.
std::string Fit(const std::string& text, int width);

// `text` in lines of at most `width` columns, broken at spaces (a longer word stands alone, uncut).
std::vector<std::string> Wrap(const std::string& text, int width);

// A bar of `width` columns in eighths, filled to `ratio`.
std::string Bar(double ratio, int width);

}  // namespace scm::ctl
