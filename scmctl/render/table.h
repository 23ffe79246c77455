// Plain tables for listings: aligned columns that fit the terminal. Pure.
#pragma once

#include <string>
#include <vector>

#include "scmctl/render/terminal.h"

namespace scm::ctl {

class TextTable {
 public:
  struct Column {
    std::string title;
    bool right = false;    // numbers
    bool elastic = false;  // cut first when the table is too wide; at most one column
    bool state = false;    // coloured by its word
    int drop = 0;          // left out when cutting is not enough, highest first; 0: never
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Lines ending in '\n', on a terminal none wider than it; a pipe gets everything. `empty` is
  // printed instead of a table without rows. A column without a value ("–") in any row is left out.
  std::string Render(const Terminal& terminal, const std::string& empty) const;

 private:
  struct Layout {
    std::vector<size_t> columns;  // those shown
    std::vector<int> widths;      // of each column, shown or not
  };
  Layout Arrange(const Terminal& terminal) const;
  bool HasValue(size_t column) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace scm::ctl
