#include <cctype>

#include "absl/strings/str_cat.h"
#include "report/document.h"
#include "report/svg.h"

namespace scm::report {
namespace {

// No network, no script; black on white; a table scrolls by itself on a narrow screen and wraps on
// paper.
constexpr char kStyle[] = R"css(
body{font:1rem/1.5 system-ui,sans-serif;color:#111;background:#fff;max-width:60rem;margin:0 auto;
padding:1rem;overflow-wrap:break-word}
h1{font-size:1.5rem;line-height:1.25;margin:.2rem 0}
h2{font-size:1.35rem;margin:2.6rem 0 .4rem;border-top:3px solid #111;padding-top:.4rem}
h3{font-size:1.1rem;margin:1.6rem 0 .4rem;border-bottom:1px solid #999}
p,ul{margin:.5rem 0}ul{padding-left:1.2rem}li{margin:.25rem 0}
.subtitle{color:#444;font-size:.9rem}
.decision{display:inline-block;font-weight:700;font-size:1.25rem;border:3px solid #111;
padding:.1rem .8rem;margin:.4rem 0}
.headline{font-size:1.05rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;overflow-wrap:normal}
th,td{border:1px solid #bbb;padding:.2rem .5rem;text-align:left;vertical-align:top}
td.n{text-align:right;white-space:nowrap}th{background:#eee}
.caption,figcaption{font-size:.88rem;color:#333;margin:.6rem 0 .2rem}
.figures{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:.4rem 0;flex:1 1 20rem;max-width:30rem}
svg{display:block;width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#111;
white-space:pre}
a{color:#00508a}
pre{font:.8rem/1.4 ui-monospace,monospace;background:#f4f4f4;border:1px solid #bbb;padding:.5rem;
white-space:pre-wrap;overflow-wrap:anywhere}
@media screen and (max-width:30rem){body{padding:.7rem}table{font-size:.76rem}
th,td{padding:.15rem .3rem}td.n{white-space:normal}}
@page{margin:11mm}
@media print{html{font-size:10px}li,p,ul{margin:.15rem 0}h3{margin:.8rem 0 .2rem}
.caption,figcaption{margin:.1rem 0}body{max-width:none;padding:0}a{color:#111;text-decoration:none}
h1,h2,h3,.caption{break-after:avoid}.figures,figure,tr,li{break-inside:avoid}
h2{break-before:page}.wide{overflow:visible}table{font-size:.85em}
th,td{padding:.1rem .3rem}td:not(.n){overflow-wrap:anywhere;min-width:3em}figure{flex:1 1 36%;max-width:38%}
th{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
)css";

bool IsNumeric(const std::string& cell) {
  // "t-2" is a name.
  return !cell.empty() && !std::isalpha(static_cast<unsigned char>(cell[0])) &&
         cell.find_first_not_of("0123456789.,+-–−%/ to<=>e") == std::string::npos;
}

void Table(const Block& block, std::string& out) {
  if (!block.text.empty()) {
    absl::StrAppend(&out, "<p class=\"caption\">", EscapeXml(block.text), "</p>\n");
  }
  absl::StrAppend(&out, "<div class=\"wide\"",
                  block.table.empty() ? "" : absl::StrCat(" id=\"", block.table, "\""),
                  "><table><thead><tr>");
  for (const std::string& title : block.header) {
    absl::StrAppend(&out, "<th>", EscapeXml(title), "</th>");
  }
  absl::StrAppend(&out, "</tr></thead><tbody>\n");
  for (const auto& row : block.rows) {
    absl::StrAppend(&out, "<tr>");
    for (const std::string& cell : row) {
      absl::StrAppend(&out, IsNumeric(cell) ? "<td class=\"n\">" : "<td>", EscapeXml(cell),
                      "</td>");
    }
    absl::StrAppend(&out, "</tr>\n");
  }
  absl::StrAppend(&out, "</tbody></table></div>\n");
}

void List(const Block& block, std::string& out) {
  absl::StrAppend(&out, "<ul>\n");
  for (const auto& row : block.rows) {
    absl::StrAppend(&out, "<li>", EscapeXml(row[0]), "</li>\n");
  }
  absl::StrAppend(&out, "</ul>\n");
}

void Figure(const Block& block, std::string& out) {
  absl::StrAppend(&out, "<figure>", block.svg, "<figcaption>", EscapeXml(block.text),
                  " <a href=\"#", block.table, "\">Its numbers</a></figcaption></figure>\n");
}

void Write(const Block& block, std::string& out) {
  switch (block.kind) {
    case Block::Kind::kPart:
      absl::StrAppend(&out, "<h2>", EscapeXml(block.text), "</h2>\n");
      break;
    case Block::Kind::kHeading:
      absl::StrAppend(&out, "<h3>", EscapeXml(block.text), "</h3>\n");
      break;
    case Block::Kind::kText:
      absl::StrAppend(&out, "<p>", EscapeXml(block.text), "</p>\n");
      break;
    case Block::Kind::kList:
      List(block, out);
      break;
    case Block::Kind::kTable:
      Table(block, out);
      break;
    case Block::Kind::kFigure:
      Figure(block, out);
      break;
    case Block::Kind::kCode:
      absl::StrAppend(&out, "<pre>", EscapeXml(block.text), "</pre>\n");
  }
}

}  // namespace

std::string WriteHtml(const ReportDocument& document) {
  std::string out = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>",
      EscapeXml(absl::StrCat(document.title, ": ", document.decision)), "</title><style>", kStyle,
      "</style></head><body>\n<h1>", EscapeXml(document.title), "</h1>\n<p class=\"subtitle\">",
      EscapeXml(document.subtitle), "</p>\n<p class=\"decision\">", EscapeXml(document.decision),
      "</p>\n");
  bool in_figures = false;  // neighbouring figures stand side by side where there is room
  for (const Block& block : document.blocks) {
    const bool figure = block.kind == Block::Kind::kFigure;
    if (figure != in_figures) {
      absl::StrAppend(&out, figure ? "<div class=\"figures\">\n" : "</div>\n");
    }
    in_figures = figure;
    Write(block, out);
  }
  return absl::StrCat(out, in_figures ? "</div>\n" : "", "</body></html>\n");
}

}  // namespace scm::report
