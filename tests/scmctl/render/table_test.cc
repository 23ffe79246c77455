#include "scmctl/render/table.h"

#include <gtest/gtest.h>

#include "absl/strings/str_split.h"

namespace scm::ctl {
namespace {

int Widest(const std::string& text) {
  int widest = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    widest = std::max(widest, DisplayWidth(std::string(line)));
  }
  return widest;
}

const Terminal kNoTerminal{};
Terminal ScreenOf(int width, bool colour = false) { return {true, colour, width, 24}; }

TEST(TableTest, ColumnsAreAlignedByColumnsOfTheScreen) {
  TextTable table({{"name"}, {"n", true}, {"text"}});
  table.Add({"año", "7", "x"});
  table.Add({"plain", "1234", "y"});
  EXPECT_EQ(table.Render(kNoTerminal, ""), "name      n  text\naño       7  x\nplain  1234  y\n");
}

TEST(TableTest, NoRowsSayWhatToDo) {
  EXPECT_EQ(TextTable({{"id"}}).Render(kNoTerminal, "No runs yet."), "No runs yet.\n");
}

TEST(TableTest, APipeGetsEverythingAndATerminalWhatFits) {
  TextTable table({{"id"}, {"reason", false, true}});
  const std::string reason(300, 'x');
  table.Add({"r-1", reason});
  EXPECT_NE(table.Render(kNoTerminal, "").find(reason), std::string::npos);
  EXPECT_EQ(Widest(table.Render(ScreenOf(80), "")), 80);
  EXPECT_EQ(Widest(table.Render(ScreenOf(200), "")), 200);
}

TEST(TableTest, LessImportantColumnsGoBeforeTheReasonBecomesUnreadable) {
  TextTable table({{"id"},
                   {"first to go", false, false, false, 2},
                   {"second", false, false, false, 1},
                   {"reason", false, true}});
  table.Add({"r-1", std::string(30, 'a'), std::string(30, 'b'), std::string(60, 'c')});
  const std::string narrow = table.Render(ScreenOf(60), "");
  EXPECT_LE(Widest(narrow), 60);
  EXPECT_EQ(narrow.find("first to go"), std::string::npos) << narrow;
  EXPECT_NE(narrow.find("second"), std::string::npos) << narrow;
  EXPECT_NE(table.Render(ScreenOf(200), "").find("first to go"), std::string::npos);
}

TEST(TableTest, NoLineIsWiderThanTheTerminalWhateverIsInIt) {
  TextTable table({{"id"}, {"a", true}, {"state", false, false, true}, {"b", false, true}, {"c"}});
  table.Add(
      {"r-1", "12345678901234567890", "SUCCEEDED", "año 法律 año 法律 año", std::string(40, 'z')});
  table.Add({"r-2", "–", "ABORTED", "–", "–"});
  for (int width = 30; width <= 200; ++width) {
    const std::string text = table.Render(ScreenOf(width), "");
    EXPECT_LE(Widest(text), width) << text;
  }
}

TEST(TableTest, AColumnWithoutAnyValueIsLeftOut) {
  TextTable table({{"id"}, {"accuracy"}, {"loss"}});
  table.Add({"r-1", "–", "–"});
  table.Add({"r-2", "", "0"});
  EXPECT_EQ(table.Render(kNoTerminal, ""), "id   loss\nr-1  –\nr-2  0\n");
}

TEST(TableTest, ColourIsOnTheStateWordsOnlyAndTakesNoWidth) {
  TextTable table({{"id"}, {"state", false, false, true}, {"text"}});
  table.Add({"ABORTED", "ABORTED", "x"});
  EXPECT_EQ(table.Render(ScreenOf(80, true), ""),
            "id       state    text\nABORTED  \x1b[31mABORTED\x1b[0m  x\n");
}

}  // namespace
}  // namespace scm::ctl
