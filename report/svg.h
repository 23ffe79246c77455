// Inline SVG charts that read in black and white: lines differ by dash as well as by colour, and
// every mark is named in words. They are 420 units wide, so that their text stays legible on a
// phone. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm::report {

struct ReferenceLine {
  std::string label;
  double value;
};

// One line a curve, the band between their lowest and highest, horizontal reference lines dotted
// and labelled, a cross where a run was cut short. "" without any point.
std::string LineChart(const std::string& title, const std::vector<Curve>& curves,
                      const std::vector<ReferenceLine>& references);

struct IntervalRow {
  enum class Style { kFilled, kOpen, kUnjudged };
  std::string label, text;  // above the interval: left, right
  double value, low, high;  // low and high NaN = only the point
  Style style = Style::kFilled;
  // Levels on this row, NaN = none: a triangle and a bar.
  double chance = statistics::kNotANumber, gate = statistics::kNotANumber;
};

// Points with horizontal intervals, one row each; reference lines vertical and labelled. "" without
// any number.
std::string IntervalChart(const std::string& title, const std::vector<IntervalRow>& rows,
                          const std::vector<ReferenceLine>& references);

// Text as it may stand in XML and HTML, between tags or in a quoted attribute. Control characters,
// which XML does not know, become spaces.
std::string EscapeXml(const std::string& text);

}  // namespace scm::report
