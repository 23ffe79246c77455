#include "scmctl/render/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace scm::ctl {
namespace {

constexpr int kGap = 2;
constexpr int kReadable = 16;  // an elastic column below this says too little: drop others first
constexpr int kNarrowest = 4;

std::string Pad(const std::string& text, int width, bool right) {
  const std::string space(std::max(0, width - DisplayWidth(text)), ' ');
  return right ? absl::StrCat(space, text) : absl::StrCat(text, space);
}

}  // namespace

bool TextTable::HasValue(size_t column) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const std::vector<std::string>& row) {
    return row[column] != "–" && !row[column].empty();
  });
}

TextTable::Layout TextTable::Arrange(const Terminal& terminal) const {
  Layout layout;
  for (size_t c = 0; c < columns_.size(); ++c) {
    int width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    layout.widths.push_back(width);
    if (HasValue(c)) layout.columns.push_back(c);
  }
  if (!terminal.interactive) return layout;
  std::vector<int>& widths = layout.widths;
  const auto total = [&] {
    int sum = -kGap;
    for (const size_t c : layout.columns) sum += widths[c] + kGap;
    return sum;
  };
  const auto shrink = [&](size_t c, int least) {
    const int wanted = widths[c] - (total() - terminal.width);
    widths[c] = std::min(widths[c], std::max(least, wanted));
  };
  // The elastic column as a list of one or none, so that it stays right while others go.
  std::vector<size_t> elastic;
  for (const size_t c : layout.columns) {
    if (columns_[c].elastic) elastic.push_back(c);
  }
  while (total() > terminal.width) {
    int spare = 0;
    for (const size_t c : layout.columns) {
      if (columns_[c].elastic) spare += std::max(0, widths[c] - kReadable);
    }
    const auto first_to_go =
        std::max_element(layout.columns.begin(), layout.columns.end(),
                         [&](size_t a, size_t b) { return columns_[a].drop < columns_[b].drop; });
    if (total() - spare <= terminal.width || columns_[*first_to_go].drop == 0) break;
    layout.columns.erase(first_to_go);
  }
  for (const size_t c : elastic) shrink(c, kReadable / 2);
  while (total() > terminal.width) {
    const size_t widest =
        *std::max_element(layout.columns.begin(), layout.columns.end(),
                          [&](size_t a, size_t b) { return widths[a] < widths[b]; });
    if (widths[widest] <= kNarrowest) break;  // a terminal this narrow shows what it can
    --widths[widest];
  }
  return layout;
}

std::string TextTable::Render(const Terminal& terminal, const std::string& empty) const {
  if (rows_.empty()) return absl::StrCat(empty, "\n");
  const Layout layout = Arrange(terminal);
  std::string out;
  const auto line = [&](const auto& cell_of, bool header) {
    std::string text;
    for (const size_t c : layout.columns) {
      const std::string cell =
          Pad(Fit(cell_of(c), layout.widths[c]), layout.widths[c], columns_[c].right);
      absl::StrAppend(
          &text, c == layout.columns.front() ? "" : "  ",
          columns_[c].state && !header ? ColourState(cell_of(c), cell, terminal.colour) : cell);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, text, "\n");
  };
  line([&](size_t c) { return columns_[c].title; }, true);
  for (const auto& row : rows_) line([&](size_t c) { return row[c]; }, false);
  return out;
}

}  // namespace scm::ctl
