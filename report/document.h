// The report as a sequence of blocks, laid out once and written twice (Markdown and HTML).
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm {

struct Block {
  enum class Kind { kHeading, kText, kTable, kList, kFigure };
  Kind kind = Kind::kText;
  std::string text;                            // heading, paragraph, or caption of table and figure
  std::vector<std::string> header;             // table
  std::vector<std::vector<std::string>> rows;  // table; list: one cell a row
  std::string svg;                             // figure; its numbers are the table
};

struct ReportDocument {
  std::string title;
  std::string decision;  // one line above everything
  std::vector<Block> blocks;
};

ReportDocument LayOut(const Findings& findings);

std::string WriteMarkdown(const ReportDocument& document);
std::string WriteHtml(const ReportDocument& document);

}  // namespace scm
