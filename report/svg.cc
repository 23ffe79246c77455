#include "report/svg.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace scm {
namespace {

constexpr double kWidth = 640, kHeight = 300, kLeft = 56, kRight = 92, kTop = 14, kBottom = 40;
// Okabe and Ito's colours, distinguishable without colour vision; each with its own dash.
constexpr const char* kColours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"};
constexpr const char* kDashes[] = {"", "6 3", "2 2", "8 3 2 3", "12 4", "4 4 1 4"};

struct Scale {
  double low, high, from, to;
  double operator()(double value) const {
    return high > low ? from + (value - low) / (high - low) * (to - from) : (from + to) / 2;
  }
};

// A step of 1, 2 or 5 times a power of ten that gives about five ticks.
double TickStep(double low, double high) {
  const double rough = std::max(high - low, 1e-9) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

std::string Number(double value) { return absl::StrFormat("%.1f", value); }

std::string Text(double x, double y, const char* anchor, const std::string& text) {
  return absl::StrCat("<text x=\"", Number(x), "\" y=\"", Number(y), "\" text-anchor=\"", anchor,
                      "\">", EscapeXml(text), "</text>");
}

std::string Line(double x1, double y1, double x2, double y2, const char* style) {
  return absl::StrCat("<line x1=\"", Number(x1), "\" y1=\"", Number(y1), "\" x2=\"", Number(x2),
                      "\" y2=\"", Number(y2), "\" ", style, "/>");
}

std::string Open(double height, const std::string& label) {
  return absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">", kWidth,
                         height, EscapeXml(label));
}

constexpr char kGrid[] = "stroke=\"#ccc\" stroke-width=\"0.6\"";
constexpr char kReference[] = "stroke=\"#555\" stroke-width=\"1\" stroke-dasharray=\"2 3\"";

std::string Axes(const Scale& x, const Scale& y, const std::string& x_label,
                 const std::string& y_label) {
  std::string out;
  const double y_step = TickStep(y.low, y.high), x_step = TickStep(x.low, x.high);
  for (double v = std::ceil(y.low / y_step) * y_step; v <= y.high + 1e-9; v += y_step) {
    absl::StrAppend(&out, Line(kLeft, y(v), kWidth - kRight, y(v), kGrid),
                    Text(kLeft - 6, y(v) + 4, "end", absl::StrFormat("%g", std::round(v * 1e6) / 1e6)));
  }
  for (double v = std::ceil(x.low / x_step) * x_step; v <= x.high + 1e-9; v += x_step) {
    absl::StrAppend(&out, Text(x(v), kHeight - kBottom + 16, "middle", absl::StrFormat("%g", v)));
  }
  absl::StrAppend(&out, Text((kLeft + kWidth - kRight) / 2, kHeight - 6, "middle", x_label),
                  Text(kLeft, kTop - 3, "start", y_label));
  return out;
}

// The area between the lowest and the highest curve at each step.
std::string Band(const std::vector<Curve>& curves, const Scale& x, const Scale& y) {
  std::map<double, std::pair<double, double>> range;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) {
      auto [it, fresh] = range.try_emplace(step, value, value);
      it->second.first = std::min(it->second.first, value);
      it->second.second = std::max(it->second.second, value);
    }
  }
  std::string up, down;
  for (const auto& [step, pair] : range) {
    absl::StrAppend(&up, Number(x(step)), ",", Number(y(pair.second)), " ");
  }
  for (auto it = range.rbegin(); it != range.rend(); ++it) {
    absl::StrAppend(&down, Number(x(it->first)), ",", Number(y(it->second.first)), " ");
  }
  return absl::StrCat("<polygon points=\"", up, down, "\" fill=\"#888\" opacity=\"0.18\"/>");
}

}  // namespace

std::string EscapeXml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string LineChart(const std::string& y_label, const std::vector<Curve>& curves,
                      const std::vector<ReferenceLine>& references) {
  double x_high = 1, y_low = INFINITY, y_high = -INFINITY;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) {
      x_high = std::max(x_high, step);
      y_low = std::min(y_low, value);
      y_high = std::max(y_high, value);
    }
  }
  for (const ReferenceLine& line : references) {
    y_low = std::min(y_low, line.value);
    y_high = std::max(y_high, line.value);
  }
  if (!std::isfinite(y_low)) return "";
  const double margin = std::max((y_high - y_low) * 0.05, 1e-3);
  const Scale x{0, x_high, kLeft, kWidth - kRight};
  const Scale y{y_low - margin, y_high + margin, kHeight - kBottom, kTop + 4};
  std::string out = Open(kHeight, absl::StrCat(y_label, " by step"));
  absl::StrAppend(&out, Axes(x, y, "optimiser step", y_label));
  if (curves.size() > 1) absl::StrAppend(&out, Band(curves, x, y));
  for (const ReferenceLine& line : references) {
    absl::StrAppend(&out, Line(kLeft, y(line.value), kWidth - kRight, y(line.value), kReference),
                    Text(kWidth - kRight + 4, y(line.value) + 4, "start", line.label));
  }
  for (size_t i = 0; i < curves.size(); ++i) {
    std::string points;
    for (const auto& [step, value] : curves[i].points) {
      absl::StrAppend(&points, Number(x(step)), ",", Number(y(value)), " ");
    }
    absl::StrAppendFormat(&out,
                          "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.8\" "
                          "stroke-dasharray=\"%s\"/>",
                          points, kColours[i % 6], kDashes[i % 6]);
    const double legend = kTop + 14 + 16 * static_cast<double>(i);
    absl::StrAppend(&out, "<line x1=\"", Number(kWidth - kRight + 4), "\" x2=\"",
                    Number(kWidth - kRight + 26), "\" y1=\"", Number(legend - 4), "\" y2=\"",
                    Number(legend - 4), "\" stroke=\"", kColours[i % 6],
                    "\" stroke-width=\"1.8\" stroke-dasharray=\"", kDashes[i % 6], "\"/>",
                    Text(kWidth - kRight + 30, legend, "start", curves[i].label));
  }
  return absl::StrCat(out, "</svg>");
}

std::string IntervalChart(const std::string& x_label, const std::vector<IntervalRow>& rows,
                          const std::vector<ReferenceLine>& references) {
  constexpr double kRow = 26, kLabels = 190;
  double low = INFINITY, high = -INFINITY;
  const auto widen = [&](double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const IntervalRow& row : rows) {
    for (const double value : {row.value, row.low, row.high}) widen(value);
  }
  for (const ReferenceLine& line : references) widen(line.value);
  if (!std::isfinite(low)) return "";
  const double margin = std::max((high - low) * 0.06, 0.01);
  const double height = kTop + kRow * static_cast<double>(rows.size()) + 56;
  const Scale x{low - margin, high + margin, kLabels, kWidth - 20};
  std::string out = Open(height, x_label);
  const double bottom = height - 44;
  const double step = TickStep(x.low, x.high);
  for (double v = std::ceil(x.low / step) * step; v <= x.high + 1e-9; v += step) {
    absl::StrAppend(&out, Line(x(v), kTop, x(v), bottom, kGrid),
                    Text(x(v), bottom + 14, "middle", absl::StrFormat("%g", std::round(v * 1e6) / 1e6)));
  }
  for (const ReferenceLine& line : references) {
    absl::StrAppend(&out, Line(x(line.value), kTop, x(line.value), bottom, kReference),
                    Text(x(line.value), kTop - 2, "middle", line.label));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double y = kTop + kRow * (static_cast<double>(i) + 0.6);
    absl::StrAppend(&out, Text(kLabels - 8, y + 4, "end", rows[i].label));
    if (std::isfinite(rows[i].low) && std::isfinite(rows[i].high)) {
      absl::StrAppend(&out, Line(x(rows[i].low), y, x(rows[i].high), y,
                                 "stroke=\"#000\" stroke-width=\"2\""));
    }
    if (std::isfinite(rows[i].value)) {
      absl::StrAppend(&out, "<circle cx=\"", Number(x(rows[i].value)), "\" cy=\"", Number(y),
                      "\" r=\"4\" fill=\"#0072B2\" stroke=\"#000\"/>");
    }
  }
  return absl::StrCat(out, Text((kLabels + kWidth) / 2, height - 8, "middle", x_label), "</svg>");
}

}  // namespace scm
