#include "scmctl/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

constexpr int kGap = 2;

std::string Pad(const std::string& text, int width, bool right) {
  const std::string space(std::max(0, width - DisplayWidth(text)), ' ');
  return right ? absl::StrCat(space, text) : absl::StrCat(text, space);
}

}  // namespace

std::string Table::Render(const Terminal& terminal, const std::string& empty) const {
  if (rows_.empty()) return absl::StrCat(empty, "\n");
  std::vector<int> widths;
  int total = -kGap;
  for (size_t c = 0; c < columns_.size(); ++c) {
    int width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    widths.push_back(width);
    total += width + kGap;
  }
  for (size_t c = 0; c < columns_.size(); ++c) {
    // Only a terminal has an edge; a pipe gets everything.
    if (columns_[c].elastic && terminal.interactive && total > terminal.width) {
      widths[c] = std::max(8, widths[c] - (total - terminal.width));
    }
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells, bool header) {
    std::string text;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const std::string cell = Pad(Fit(cells[c], widths[c]), widths[c], columns_[c].right);
      absl::StrAppend(&text, c > 0 ? "  " : "",
                      columns_[c].state && !header ? ColourState(cells[c], cell, terminal.colour)
                                                   : cell);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, text, "\n");
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  line(titles, true);
  for (const auto& row : rows_) line(row, false);
  return out;
}

}  // namespace scm
