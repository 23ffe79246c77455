#include "report/svg.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/report/xml_check.h"

namespace scm::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(XmlCheckTest, FindsWhatIsWrong) {
  EXPECT_EQ(XmlError("<a b=\"1\">x &amp; y<c/></a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "<a b=1/>", "<a>&</a>", "<a b=\"<\"/>",
                          "<a b=\"\" b=\"\"/>", "<a>\x01</a>"}) {
    EXPECT_NE(XmlError(bad), "") << bad;
  }
}

TEST(SvgTest, ValuesThatAreAllTheSameHaveAnAxisThatCanBeRead) {
  const std::string svg = IntervalChart("gain", {{"a vs b", "+0.0", 0, 0, 0}}, {{"0", 0}});
  EXPECT_EQ(XmlError(svg), "") << svg;
  EXPECT_THAT(svg, HasSubstr(">0.1<"));
  EXPECT_THAT(svg, Not(HasSubstr("e-0")));
}

TEST(SvgTest, EveryCurveHasALineAndANameAndTheBandAndTheChanceLineAreNamed) {
  std::vector<Curve> curves;
  for (int s = 0; s < 8; ++s) {  // more than there are colours
    curves.push_back({"seed " + std::to_string(s), {{0, 1.5}, {50, 1.0 + 0.01 * s}, {100, 0.7}}});
  }
  const std::string svg = LineChart("validation loss", curves, {{"chance", 0.25}});
  EXPECT_EQ(XmlError(svg), "") << svg;
  EXPECT_EQ(Count(svg, "<polyline"), 8u);
  for (const Curve& curve : curves) EXPECT_THAT(svg, HasSubstr(">" + curve.label + "<"));
  EXPECT_THAT(svg, HasSubstr("lowest to highest"));
  EXPECT_THAT(svg, HasSubstr("chance 0.25"));
  EXPECT_THAT(svg, HasSubstr("optimiser step"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgTest, TheSeventhCurveDiffersFromTheFirst) {
  std::vector<Curve> curves(7, Curve{"x", {{0, 1}, {1, 2}}});
  const std::string svg = LineChart("loss", curves, {});
  std::vector<std::string> styles;
  for (size_t at = svg.find("<polyline"); at != std::string::npos;
       at = svg.find("<polyline", at + 1)) {
    const size_t from = svg.find("stroke=", at);
    styles.push_back(svg.substr(from, svg.find("/>", from) - from));
  }
  ASSERT_EQ(styles.size(), 7u);
  std::sort(styles.begin(), styles.end());
  EXPECT_EQ(std::unique(styles.begin(), styles.end()), styles.end());
}

TEST(SvgTest, PointsLieWhereTheirValuesAre) {
  // Steps 0 … 100 span 44 … 400, values 1 … 2 with 6 % margin span 214 … 24.
  const std::string svg = LineChart("loss", {{"one", {{0, 1}, {100, 2}}}}, {});
  const double bottom = 214 - 190 * 0.06 / 1.12, top = 214 - 190 * 1.06 / 1.12;
  char points[100];
  std::snprintf(points, sizeof points, "points=\"44.0,%.1f 400.0,%.1f \"", bottom, top);
  EXPECT_THAT(svg, HasSubstr(points));
  EXPECT_THAT(svg, Not(HasSubstr("lowest to highest")));  // one curve has no band
}

TEST(SvgTest, ARunThatWasCutShortEndsInACross) {
  const std::string whole = LineChart("loss", {{"a", {{0, 1}, {9, 2}}}}, {});
  const std::string cut = LineChart("loss", {{"a", {{0, 1}, {9, 2}}, true}}, {});
  EXPECT_EQ(Count(cut, "<line"), Count(whole, "<line") + 4);  // at its end and in the legend
}

TEST(SvgTest, NothingToDrawGivesNothing) {
  EXPECT_EQ(LineChart("loss", {}, {{"chance", 0.5}}), "");
  EXPECT_EQ(IntervalChart("x", {}, {{"0", 0}}), "");
}

TEST(SvgTest, OddValuesGiveAPlainChart) {
  const std::string flat = LineChart("loss", {{"a", {{0, 2}, {10, 2}}}}, {});
  const std::string point = LineChart("loss", {{"a", {{0, 2}}}}, {});
  const std::string large = LineChart("loss", {{"a", {{0, 1e-8}, {1, 1e12}}}}, {});
  const std::string no_interval =
      IntervalChart("x", {{"a", "b", 0.5, statistics::kNotANumber, statistics::kNotANumber}}, {});
  for (const std::string& svg : {flat, point, large, no_interval}) {
    EXPECT_EQ(XmlError(svg), "");
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
  }
  EXPECT_THAT(point, HasSubstr("<circle"));
}

// An exploded loss: a chart all the same, with as many ticks as any other.
TEST(SvgTest, HugeValuesGiveAChartThatEnds) {
  const std::vector<double> curves[] = {
      {1e195}, {1e17, 1e17}, {4.3, 1e195}, {-1.7e308, 1.7e308}, {1e14, 1e14 + 1}};
  for (const std::vector<double>& values : curves) {
    Curve curve{"seed 11", {}};
    for (const double value : values) curve.points.emplace_back(curve.points.size(), value);
    const std::string svg = LineChart("loss", {curve, curve}, {});
    EXPECT_EQ(XmlError(svg), "");
    EXPECT_EQ(svg.find("nan"), svg.npos) << values[0];
    EXPECT_EQ(svg.find("inf"), svg.npos) << values[0];
    EXPECT_LT(svg.size(), 20000u);
  }
}

TEST(SvgTest, IntervalsAreDrawnByStyleAndNamed) {
  using Style = IntervalRow::Style;
  std::vector<IntervalRow> rows = {{"primary", "+17", 17, 10, 24, Style::kFilled},
                                   {"other", "+3", 3, -4, 10, Style::kOpen},
                                   {"few", "+1", 1, -9, 11, Style::kUnjudged, 0, 5}};
  const std::string svg = IntervalChart("gain, points", rows, {{"0", 0}});
  EXPECT_EQ(XmlError(svg), "");
  EXPECT_EQ(Count(svg, "<circle"), 3u);
  EXPECT_EQ(Count(svg, "r=\"4.5\" fill=\"#fff\""), 2u);
  EXPECT_EQ(Count(svg, "stroke-dasharray=\"3 3\""), 1u);  // the one that cannot be judged
  EXPECT_EQ(Count(svg, "<polygon"), 1u);                  // its level of chance
  EXPECT_THAT(svg, HasSubstr(">primary<"));
  EXPECT_THAT(svg, HasSubstr(">+17<"));
}

TEST(SvgTest, TextCannotBreakOut) {
  const std::string evil = "a<b>&\"'\x01</svg><script>";
  EXPECT_EQ(EscapeXml(evil), "a&lt;b&gt;&amp;&quot;&#39; &lt;/svg&gt;&lt;script&gt;");
  const std::string svg = LineChart(evil, {{evil, {{0, 1}, {1, 2}}}}, {{evil, 1.5}});
  EXPECT_EQ(XmlError(svg), "");
  EXPECT_EQ(Count(svg, "<svg"), 1u);
  EXPECT_EQ(Count(svg, "</svg>"), 1u);
}

}  // namespace
}  // namespace scm::report
