// Inline SVG charts that read in black and white: lines differ by dash as well as by colour. Pure.
#pragma once

#include <string>
#include <vector>

#include "report/findings.h"

namespace scm {

struct ReferenceLine {
  std::string label;
  double value;
};

// One line a curve, the band between their lowest and highest labelled, reference lines dotted.
std::string LineChart(const std::string& y_label, const std::vector<Curve>& curves,
                      const std::vector<ReferenceLine>& references);

struct IntervalRow {
  std::string label;
  double value, low, high;  // low and high NaN = only the point
};

// Points with horizontal intervals, one row each; reference lines vertical.
std::string IntervalChart(const std::string& x_label, const std::vector<IntervalRow>& rows,
                          const std::vector<ReferenceLine>& references);

std::string EscapeXml(const std::string& text);

}  // namespace scm
