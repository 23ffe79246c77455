#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "report/document.h"

namespace scm {
namespace {

std::string Cell(const std::string& text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}, {"<", "&lt;"}});
}

void Table(const Block& block, std::string& out) {
  absl::StrAppend(&out, "|");
  for (const std::string& title : block.header) absl::StrAppend(&out, " ", Cell(title), " |");
  absl::StrAppend(&out, "\n|");
  for (size_t i = 0; i < block.header.size(); ++i) absl::StrAppend(&out, " --- |");
  absl::StrAppend(&out, "\n");
  for (const auto& row : block.rows) {
    absl::StrAppend(&out, "|");
    for (const std::string& cell : row) absl::StrAppend(&out, " ", Cell(cell), " |");
    absl::StrAppend(&out, "\n");
  }
  absl::StrAppend(&out, "\n");
}

}  // namespace

std::string WriteMarkdown(const ReportDocument& document) {
  std::string out =
      absl::StrCat("# ", Cell(document.title), "\n\n**Decision: ", document.decision, "**\n\n");
  for (const Block& block : document.blocks) {
    switch (block.kind) {
      case Block::Kind::kHeading:
        absl::StrAppend(&out, "## ", block.text, "\n\n");
        break;
      case Block::Kind::kText:
        absl::StrAppend(&out, Cell(block.text), "\n\n");
        break;
      case Block::Kind::kList:
        for (const auto& row : block.rows) absl::StrAppend(&out, "- ", Cell(row[0]), "\n");
        absl::StrAppend(&out, "\n");
        break;
      case Block::Kind::kTable:
      case Block::Kind::kFigure:  // Markdown shows a figure by its numbers
        if (!block.text.empty()) absl::StrAppend(&out, block.text, "\n\n");
        Table(block, out);
    }
  }
  return out;
}

}  // namespace scm
