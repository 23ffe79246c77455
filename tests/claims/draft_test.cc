#include "claims/draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace scm::claims {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Lines(const std::string& text, DraftFormat format) {
  std::vector<std::string> lines;
  for (const DraftSentence& one : ReadDraft(text, format).sentences) {
    lines.push_back(absl::StrCat(one.line, ": ", one.text));
  }
  return lines;
}

TEST(Markdown, LeavesSentencesWithTheirLines) {
  EXPECT_THAT(
      Lines("---\ntitle: x\n---\n# It gains\n\nOne is **64 %**, e.g. here. Two\nfollows "
            "[12] [the page](a.html).\n\n- an item\n- `code` stays\n\n```\nnot this.\n```\n"
            "<!-- nor\nthis -->\nLast.\n",
            DraftFormat::kMarkdown),
      ElementsAre("4: It gains", "6: One is 64 %, e.g. here.", "6: Two follows ⟦cite⟧ the page.",
                  "9: an item", "10: code stays", "17: Last."));
}

TEST(Markdown, CountsTableRows) {
  const Draft draft = ReadDraft("| a | b |\n|---|---|\n| 1 | 2 |\n", DraftFormat::kMarkdown);
  EXPECT_EQ(draft.table_rows, 3);
  EXPECT_TRUE(draft.sentences.empty());
}

TEST(Latex, LeavesSentencesWithTheirLines) {
  EXPECT_THAT(
      Lines("\\documentclass{article}\n\\title{It gains}\n\\begin{document}\n"
            "\\section{Results} % a comment\nIt is \\textbf{64\\,\\%} \\cite{a,b}, $p < .05$.\n"
            "La raz\\'on: 10--24 points.\n\n\\begin{equation}\nx = 1.\n\\end{equation}\n"
            "\\begin{itemize}\n\\item One.\n\\item Two.\n\\end{itemize}\n"
            "\\begin{table}\\begin{tabular}{ll}\na & b \\\\\n\\end{tabular}\n\\caption{A table.}\n"
            "\\end{table}\n\\end{document}\n",
            DraftFormat::kLatex),
      ElementsAre("2: It gains", "4: Results", "5: It is 64 %  ⟦cite⟧, p < .05.",
                  "6: La razón: 10–24 points.", "12: One.", "13: Two.", "18: A table."));
}

TEST(Latex, CountsTableRows) {
  EXPECT_EQ(ReadDraft("\\begin{tabular}{l}\na \\\\\nb \\\\\n\\end{tabular}", DraftFormat::kLatex)
                .table_rows,
            2);
}

}  // namespace
}  // namespace scm::claims
