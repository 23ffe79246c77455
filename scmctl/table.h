// Plain tables for listings: aligned columns, the widest text column cut to fit. Pure.
#pragma once

#include <string>
#include <vector>

#include "scmctl/terminal.h"

namespace scm {

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;     // numbers
    bool elastic = false;   // cut when the table is too wide; at most one column
    bool state = false;     // coloured by its word
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Lines ending in '\n'; `empty` is printed instead of a table without rows.
  std::string Render(const Terminal& terminal, const std::string& empty) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace scm
