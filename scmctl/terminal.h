// What the terminal can do: width, colour, redrawing. Read once at start.
#pragma once

#include <string>

namespace scm {

struct Terminal {
  bool interactive = false;  // standard output is a terminal
  bool colour = false;       // interactive, and NO_COLOR is not set
  int width = 80;
};

Terminal DetectTerminal();

// State words carry the only colour: green, yellow, red, grey. Unchanged without colour.
std::string ColourState(const std::string& word, const std::string& text, bool colour);

// Columns that the text takes on a terminal (code points; box and block characters count one).
int DisplayWidth(const std::string& text);

// At most `width` columns, the last one "…" where something was cut.
std::string Fit(const std::string& text, int width);

// A bar of `width` columns in eighths, filled to `ratio`.
std::string Bar(double ratio, int width);

}  // namespace scm
