// Draws a text again and again in the same place of the terminal. One thread.
#pragma once

#include <string>

namespace scm::ctl {

class LiveScreen {
 public:
  // What to write so that `text`, lines none of which is wider than the terminal, stands where the
  // text before it stood.
  std::string Redraw(const std::string& text);

 private:
  int lines_ = 0;
};

}  // namespace scm::ctl
