#include "absl/strings/str_cat.h"
#include "report/document.h"
#include "report/svg.h"

namespace scm {
namespace {

// No network, no script; black on white; a table scrolls by itself on a narrow screen.
constexpr char kStyle[] = R"css(
body{font:16px/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:60rem;margin:0 auto;
padding:1rem}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem;border-bottom:1px solid
#999}
.decision{display:inline-block;font-weight:700;font-size:1.2rem;border:3px solid #111;padding:.1rem
.7rem;margin:.3rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}
th,td{border:1px solid #bbb;padding:.2rem .45rem;text-align:left;vertical-align:top}
td.n{text-align:right;white-space:nowrap}th{background:#eee}
figure{margin:.6rem 0}figcaption,.caption{font-size:.9rem;color:#333;margin:.2rem 0}
svg{width:100%;height:auto;max-width:46rem}svg text{font:12px system-ui,sans-serif;fill:#111}
details{margin:.3rem 0;font-size:.9rem}summary{cursor:pointer}
@media print{body{font-size:11px;max-width:none}h2{break-after:avoid}figure,tr{break-inside:avoid}
details>*{display:block}}
)css";

bool IsNumeric(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789.,+-–−%/ to<=e") == std::string::npos;
}

void Table(const Block& block, std::string& out) {
  absl::StrAppend(&out, "<div class=\"wide\"><table><thead><tr>");
  for (const std::string& title : block.header) {
    absl::StrAppend(&out, "<th>", EscapeXml(title), "</th>");
  }
  absl::StrAppend(&out, "</tr></thead><tbody>\n");
  for (const auto& row : block.rows) {
    absl::StrAppend(&out, "<tr>");
    for (const std::string& cell : row) {
      absl::StrAppend(&out, IsNumeric(cell) ? "<td class=\"n\">" : "<td>", EscapeXml(cell), "</td>");
    }
    absl::StrAppend(&out, "</tr>\n");
  }
  absl::StrAppend(&out, "</tbody></table></div>\n");
}

void Figure(const Block& block, std::string& out) {
  absl::StrAppend(&out, "<figure>", block.svg, "<figcaption>", EscapeXml(block.text),
                  "</figcaption><details><summary>Numbers</summary>");
  Table(block, out);
  absl::StrAppend(&out, "</details></figure>\n");
}

}  // namespace

std::string WriteHtml(const ReportDocument& document) {
  std::string out = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>",
      EscapeXml(document.title), "</title><style>", kStyle, "</style></head><body>\n<h1>",
      EscapeXml(document.title), "</h1>\n<p class=\"decision\">", EscapeXml(document.decision),
      "</p>\n");
  for (const Block& block : document.blocks) {
    switch (block.kind) {
      case Block::Kind::kHeading:
        absl::StrAppend(&out, "<h2>", EscapeXml(block.text), "</h2>\n");
        break;
      case Block::Kind::kText:
        absl::StrAppend(&out, "<p>", EscapeXml(block.text), "</p>\n");
        break;
      case Block::Kind::kList:
        absl::StrAppend(&out, "<ul>\n");
        for (const auto& row : block.rows) {
          absl::StrAppend(&out, "<li>", EscapeXml(row[0]), "</li>\n");
        }
        absl::StrAppend(&out, "</ul>\n");
        break;
      case Block::Kind::kTable:
        if (!block.text.empty()) {
          absl::StrAppend(&out, "<p class=\"caption\">", EscapeXml(block.text), "</p>");
        }
        Table(block, out);
        break;
      case Block::Kind::kFigure:
        Figure(block, out);
    }
  }
  return absl::StrCat(out, "</body></html>\n");
}

}  // namespace scm
