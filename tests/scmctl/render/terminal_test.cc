#include "scmctl/render/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace scm::ctl {
namespace {

using ::testing::ElementsAre;

TEST(TerminalTest, ColourNeedsATerminalThatCanAndNoRefusal) {
  EXPECT_TRUE(UseColour(true, nullptr, "xterm-256color"));
  EXPECT_TRUE(UseColour(true, "", "xterm"));  // no-color.org: only a value that is not empty counts
  EXPECT_FALSE(UseColour(true, "1", "xterm"));
  EXPECT_FALSE(UseColour(true, "0", "xterm"));
  EXPECT_FALSE(UseColour(false, nullptr, "xterm"));
  EXPECT_FALSE(UseColour(true, nullptr, "dumb"));
  EXPECT_FALSE(UseColour(true, nullptr, nullptr));
}

TEST(TerminalTest, StateWordsAreColouredAndNothingElse) {
  EXPECT_EQ(ColourState("ABORTED", "ABORTED  ", true), "\x1b[31mABORTED  \x1b[0m");
  EXPECT_EQ(ColourState("SUCCEEDED", "SUCCEEDED", true), "\x1b[32mSUCCEEDED\x1b[0m");
  EXPECT_EQ(ColourState("ABORTED", "ABORTED", false), "ABORTED");
  EXPECT_EQ(ColourState("legal", "legal", true), "legal");
}

TEST(TerminalTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth(""), 0);
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("año"), 3);
  EXPECT_EQ(DisplayWidth("█▌–…"), 4);
  EXPECT_EQ(DisplayWidth("n\xCC\x83o"), 2);  // n with a combining tilde
  EXPECT_EQ(DisplayWidth("法律"), 4);
  EXPECT_EQ(DisplayWidth("\xF0\x9F\x9A\x80"), 2);  // an emoji
  EXPECT_EQ(DisplayWidth("\x80\xff!"), 3);         // no UTF-8: a column each, and no crash
}

TEST(TerminalTest, FitNeverExceedsTheWidthAndCutsNoCharacterInTwo) {
  EXPECT_EQ(Fit("abcdef", 6), "abcdef");
  EXPECT_EQ(Fit("abcdef", 4), "abc…");
  EXPECT_EQ(Fit("ññññ", 3), "ññ…");
  EXPECT_EQ(Fit("法律法律", 4), "法…");
  EXPECT_EQ(Fit("abc", 1), "…");
  EXPECT_EQ(Fit("abc", 0), "");
  for (const std::string text : {"año 法律 █▌ n\xCC\x83ingún", "plain words only"}) {
    for (int width = 0; width < 24; ++width) {
      EXPECT_LE(DisplayWidth(Fit(text, width)), width) << text << " at " << width;
    }
  }
}

TEST(TerminalTest, WrapBreaksAtSpacesAndKeepsLongWordsWhole) {
  EXPECT_THAT(Wrap("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(Wrap("a verylongword b", 4), ElementsAre("a", "verylongword", "b"));
  EXPECT_THAT(Wrap("a\nb", 10), ElementsAre("a", "b"));
  EXPECT_THAT(Wrap("", 10), ElementsAre(""));
  EXPECT_THAT(Wrap("año año", 7), ElementsAre("año año"));
}

TEST(TerminalTest, BarsFillInEighths) {
  EXPECT_EQ(Bar(0, 4), "    ");
  EXPECT_EQ(Bar(1, 4), "████");
  EXPECT_EQ(Bar(0.5, 4), "██  ");
  EXPECT_EQ(Bar(1.0 / 32, 4), "▏   ");
  EXPECT_EQ(Bar(7.0 / 2, 4), "████");
  EXPECT_EQ(Bar(-1, 4), "    ");
  EXPECT_EQ(Bar(std::numeric_limits<double>::quiet_NaN(), 4), "    ");
  for (int i = 0; i <= 1000; ++i) EXPECT_EQ(DisplayWidth(Bar(i / 1000.0, 10)), 10) << i;
}

}  // namespace
}  // namespace scm::ctl
