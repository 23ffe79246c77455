#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "report/document.h"

namespace scm::report {
namespace {

// Text that is neither markup nor the end of a table's cell. Underscores within words are no
// markup.
std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"},
                                    {"|", "\\|"},
                                    {"`", "\\`"},
                                    {"*", "\\*"},
                                    {"[", "\\["},
                                    {"&", "&amp;"},
                                    {"<", "&lt;"},
                                    {"\r", " "},
                                    {"\n", " "}});
}

void MarkdownTable(const Block& block, std::string& out) {
  if (!block.text.empty()) absl::StrAppend(&out, Escape(block.text), "\n\n");
  absl::StrAppend(&out, "|");
  for (const std::string& title : block.header) absl::StrAppend(&out, " ", Escape(title), " |");
  absl::StrAppend(&out, "\n|");
  for (size_t i = 0; i < block.header.size(); ++i) absl::StrAppend(&out, " --- |");
  absl::StrAppend(&out, "\n");
  for (const auto& row : block.rows) {
    absl::StrAppend(&out, "|");
    for (const std::string& cell : row) absl::StrAppend(&out, " ", Escape(cell), " |");
    absl::StrAppend(&out, "\n");
  }
  absl::StrAppend(&out, "\n");
}

// Fenced by more backticks than stand together anywhere in it.
void MarkdownCode(const std::string& text, std::string& out) {
  size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<size_t>(3, longest + 1), '`');
  const char* end = text.empty() || text.back() == '\n' ? "" : "\n";
  absl::StrAppend(&out, fence, "\n", text, end, fence, "\n\n");
}

void WriteMarkdownBlock(const Block& block, std::string& out) {
  switch (block.kind) {
    case Block::Kind::kPart:
      absl::StrAppend(&out, "## ", Escape(block.text), "\n\n");
      break;
    case Block::Kind::kHeading:
      absl::StrAppend(&out, "### ", Escape(block.text), "\n\n");
      break;
    case Block::Kind::kText:
      absl::StrAppend(&out, Escape(block.text), "\n\n");
      break;
    case Block::Kind::kList:
      for (const auto& row : block.rows) absl::StrAppend(&out, "- ", Escape(row[0]), "\n");
      absl::StrAppend(&out, "\n");
      break;
    case Block::Kind::kTable:
      MarkdownTable(block, out);
      break;
    case Block::Kind::kFigure:  // Markdown shows a figure by its numbers
      absl::StrAppend(&out, "Figure in report.html, numbers below: ", Escape(block.text), "\n\n");
      break;
    case Block::Kind::kCode:
      MarkdownCode(block.text, out);
  }
}

}  // namespace

std::string WriteMarkdown(const ReportDocument& document) {
  std::string out = absl::StrCat("# ", Escape(document.title), "\n\n", Escape(document.subtitle),
                                 "\n\n**Decision: ", Escape(document.decision), "**\n\n");
  for (const Block& block : document.blocks) WriteMarkdownBlock(block, out);
  return out;
}

}  // namespace scm::report
