// The report as a sequence of blocks, laid out once and written twice (Markdown and HTML).
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm::report {

struct Block {
  enum class Kind { kPart, kHeading, kText, kTable, kList, kFigure, kCode };
  Kind kind = Kind::kText;
  std::string text;                            // heading, paragraph, caption, or code as it is
  std::vector<std::string> header;             // table
  std::vector<std::vector<std::string>> rows;  // table; list: one cell a row
  std::string svg;                             // figure
  // Table: its name, "t3". Figure: the name of the table that holds its numbers.
  std::string table;
};

struct ReportDocument {
  std::string title, subtitle;
  std::string decision;  // one line above everything
  std::vector<Block> blocks;
};

ReportDocument LayOut(const Findings& findings);

std::string WriteMarkdown(const ReportDocument& document);
std::string WriteHtml(const ReportDocument& document);

}  // namespace scm::report
