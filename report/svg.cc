#include "report/svg.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace scm::report {
namespace {

constexpr double kWidth = 420, kLeft = 44, kRight = 20, kTop = 24, kPlot = 190;
constexpr double kLetter = 6.1;  // mean width of a letter at 12 units, for laying out legends
// Okabe and Ito's colours, distinguishable without colour vision; each with its own dash.
constexpr const char* kColours[] = {"#0072B2", "#D55E00", "#009E73",
                                    "#CC79A7", "#E69F00", "#56B4E9"};
constexpr const char* kDashes[] = {"none", "7 3", "2 2", "9 3 2 3", "13 4", "4 4 1 4"};
constexpr char kGrid[] = "stroke=\"#ccc\" stroke-width=\"0.6\"";
constexpr char kAxis[] = "stroke=\"#111\" stroke-width=\"0.8\"";
constexpr char kReference[] = "stroke=\"#333\" stroke-width=\"1\" stroke-dasharray=\"2 3\"";

struct Scale {
  double low, high, from, to;
  double operator()(double value) const {
    return high > low ? from + (value - low) / (high - low) * (to - from) : (from + to) / 2;
  }
};

// What a chart can hold: beyond it, differences would overflow.
double Drawable(double value) { return std::clamp(value, -1e150, 1e150); }

struct Range {
  double low = INFINITY, high = -INFINITY;
  void Widen(double value) {
    if (!std::isfinite(value)) return;
    value = Drawable(value);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return !(low <= high); }
  // Room around it: a share of its width, at least `least`, and enough to be seen beside the
  // values.
  double Margin(double share, double least) const {
    return std::max({(high - low) * share, least, 1e-6 * std::fabs(low), 1e-6 * std::fabs(high)});
  }
};

// Multiples of 1, 2 or 5 times a power of ten, at most seven of them.
std::vector<double> Ticks(double low, double high) {
  const double range = std::max(high - low, 1e-9);
  const double power = std::pow(10, std::floor(std::log10(range / 7)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (range <= 7 * factor * power) step = factor * power;
  }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(k * step);
  }
  return ticks;
}

std::string N(double value) { return absl::StrFormat("%.1f", value); }
// + 0.0 turns −0 into 0.
std::string TickText(double value) {
  return absl::StrFormat("%g", std::round(value * 1e6) / 1e6 + 0.0);
}

std::string Text(double x, double y, const char* anchor, const std::string& text) {
  return absl::StrCat("<text x=\"", N(x), "\" y=\"", N(y), "\" text-anchor=\"", anchor, "\">",
                      EscapeXml(text), "</text>\n");
}

std::string Line(double x1, double y1, double x2, double y2, const std::string& style) {
  return absl::StrCat("<line x1=\"", N(x1), "\" y1=\"", N(y1), "\" x2=\"", N(x2), "\" y2=\"", N(y2),
                      "\" ", style, "/>\n");
}

std::string Open(double height, const std::string& title) {
  return absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", kWidth,
                         height, EscapeXml(title));
}

std::string Stroke(size_t i) {
  return absl::StrCat("stroke=\"", kColours[i % 6], "\" stroke-width=\"1.8\" stroke-dasharray=\"",
                      kDashes[(i + i / 6) % 6], "\"");
}

std::string Cross(double x, double y) {
  constexpr char kStyle[] = "stroke=\"#111\" stroke-width=\"1.6\"";
  return Line(x - 4, y - 4, x + 4, y + 4, kStyle) + Line(x - 4, y + 4, x + 4, y - 4, kStyle);
}

// The area between the lowest and the highest curve at each step.
std::string Band(const std::vector<Curve>& curves, const Scale& x, const Scale& y) {
  std::map<double, Range> ranges;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) ranges[step].Widen(value);
  }
  std::string up, down;
  for (const auto& [step, range] : ranges) {
    absl::StrAppend(&up, N(x(step)), ",", N(y(range.high)), " ");
  }
  for (auto it = ranges.rbegin(); it != ranges.rend(); ++it) {
    absl::StrAppend(&down, N(x(it->first)), ",", N(y(it->second.low)), " ");
  }
  return absl::StrCat("<polygon points=\"", up, down, "\" fill=\"#888\" fill-opacity=\"0.2\"/>\n");
}

// Entries from left to right, as many a row as fit.
class Legend {
 public:
  explicit Legend(double top) : y_(top) {}
  void Add(const std::string& label, const std::function<std::string(double, double)>& mark) {
    const double width = 34 + kLetter * static_cast<double>(label.size());
    if (x_ > kLeft && x_ + width > kWidth) {
      x_ = kLeft;
      y_ += 17;
    }
    absl::StrAppend(&out_, mark(x_, y_), Text(x_ + 26, y_ + 4, "start", label));
    x_ += width;
  }
  const std::string& svg() const { return out_; }
  double bottom() const { return y_ + 12; }

 private:
  double x_ = kLeft, y_;
  std::string out_;
};

std::string LineAxes(const Scale& x, const Scale& y) {
  std::string out;
  for (const double v : Ticks(y.low, y.high)) {
    absl::StrAppend(&out, Line(kLeft, y(v), kWidth - kRight, y(v), kGrid),
                    Text(kLeft - 5, y(v) + 4, "end", TickText(v)));
  }
  const double bottom = y.from;
  for (const double v : Ticks(x.low, x.high)) {
    absl::StrAppend(&out, Line(x(v), bottom, x(v), bottom + 4, kAxis),
                    Text(x(v), bottom + 16, "middle", TickText(v)));
  }
  return absl::StrCat(out, Line(kLeft, bottom, kWidth - kRight, bottom, kAxis),
                      Line(kLeft, kTop, kLeft, bottom, kAxis),
                      Text((kLeft + kWidth - kRight) / 2, bottom + 32, "middle", "optimiser step"));
}

std::string CurveLine(const Curve& curve, size_t i, const Scale& x, const Scale& y) {
  std::string points;
  for (const auto& [step, value] : curve.points) {
    absl::StrAppend(&points, N(x(step)), ",", N(y(Drawable(value))), " ");
  }
  std::string out =
      absl::StrCat("<polyline points=\"", points, "\" fill=\"none\" ", Stroke(i), "/>\n");
  if (curve.points.size() == 1) {
    absl::StrAppend(&out, "<circle cx=\"", N(x(curve.points[0].first)), "\" cy=\"",
                    N(y(Drawable(curve.points[0].second))), "\" r=\"3\" fill=\"", kColours[i % 6],
                    "\"/>\n");
  }
  if (curve.cut_short) {
    absl::StrAppend(&out,
                    Cross(x(curve.points.back().first), y(Drawable(curve.points.back().second))));
  }
  return out;
}

std::string Triangle(double x, double y) {
  return absl::StrCat("<polygon points=\"", N(x), ",", N(y), " ", N(x - 4), ",", N(y + 8), " ",
                      N(x + 4), ",", N(y + 8), "\" fill=\"#fff\" stroke=\"#111\"/>\n");
}

std::string IntervalMark(const IntervalRow& row, const Scale& x, double y) {
  const bool judged = row.style != IntervalRow::Style::kUnjudged;
  std::string out;
  if (std::isfinite(row.low) && std::isfinite(row.high)) {
    const std::string style =
        absl::StrCat("stroke=\"", judged ? "#111" : "#777",
                     "\" stroke-width=\"2\" stroke-dasharray=\"", judged ? "none" : "3 3", "\"");
    absl::StrAppend(&out, Line(x(row.low), y, x(row.high), y, style));
    for (const double end : {row.low, row.high}) {
      absl::StrAppend(&out, Line(x(end), y - 4, x(end), y + 4, kAxis));
    }
  }
  if (std::isfinite(row.chance)) absl::StrAppend(&out, Triangle(x(row.chance), y - 4));
  if (std::isfinite(row.gate)) {
    absl::StrAppend(
        &out, Line(x(row.gate), y - 8, x(row.gate), y + 8, "stroke=\"#111\" stroke-width=\"3\""));
  }
  if (std::isfinite(row.value)) {
    const bool filled = row.style == IntervalRow::Style::kFilled;
    absl::StrAppend(&out, "<circle cx=\"", N(x(row.value)), "\" cy=\"", N(y),
                    "\" r=\"4.5\" fill=\"", filled ? "#0072B2" : "#fff", "\" stroke=\"#111\"/>\n");
  }
  return out;
}

}  // namespace

std::string EscapeXml(const std::string& text) {
  std::string out = absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
  for (char& c : out) {
    if ((c >= 0 && c < 0x20 && c != '\n') || c == 0x7f) c = ' ';
  }
  return out;
}

std::string LineChart(const std::string& title, const std::vector<Curve>& curves,
                      const std::vector<ReferenceLine>& references) {
  Range steps, values;
  steps.Widen(0);
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) {
      steps.Widen(step);
      values.Widen(value);
    }
  }
  if (values.empty()) return "";
  for (const ReferenceLine& line : references) values.Widen(line.value);
  const double margin = values.Margin(0.06, 1e-3);
  const Scale x{0, std::max(steps.high, 1.0), kLeft, kWidth - kRight};
  const Scale y{values.low - margin, values.high + margin, kTop + kPlot, kTop};

  std::string body = absl::StrCat(Text(4, 14, "start", title), LineAxes(x, y));
  if (curves.size() > 1) body += Band(curves, x, y);
  Legend legend(kTop + kPlot + 50);
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].points.empty()) continue;
    body += CurveLine(curves[i], i, x, y);
    legend.Add(curves[i].label, [&](double lx, double ly) {
      return Line(lx, ly, lx + 22, ly, Stroke(i)) +
             (curves[i].cut_short ? Cross(lx + 11, ly) : std::string());
    });
  }
  if (curves.size() > 1) {
    legend.Add("lowest to highest", [](double lx, double ly) {
      return absl::StrCat("<rect x=\"", N(lx), "\" y=\"", N(ly - 5),
                          "\" width=\"22\" height=\"10\" fill=\"#888\" fill-opacity=\"0.2\"/>\n");
    });
  }
  for (const ReferenceLine& line : references) {
    absl::StrAppend(&body, Line(kLeft, y(line.value), kWidth - kRight, y(line.value), kReference),
                    Text(kWidth - kRight - 2, y(line.value) - 4, "end",
                         absl::StrCat(line.label, " ", absl::StrFormat("%.2f", line.value))));
  }
  return absl::StrCat(Open(legend.bottom(), title), body, legend.svg(), "</svg>");
}

std::string IntervalChart(const std::string& title, const std::vector<IntervalRow>& rows,
                          const std::vector<ReferenceLine>& references) {
  constexpr double kRow = 38;
  Range range;
  for (const IntervalRow& row : rows) {
    for (const double value : {row.value, row.low, row.high, row.chance, row.gate}) {
      range.Widen(value);
    }
  }
  if (range.empty()) return "";
  for (const ReferenceLine& line : references) range.Widen(line.value);
  // Values that are all the same still need an axis that can be read.
  const double least = 0.1 * std::max(1.0, std::fabs(range.high));
  const double margin = range.high > range.low ? range.Margin(0.05, 1e-6) : least;
  const Scale x{range.low - margin, range.high + margin, 10, kWidth - 10};
  const double bottom = kTop + 4 + kRow * static_cast<double>(rows.size());
  std::string out = Open(bottom + 24, title) + Text(4, 14, "start", title);
  for (const double v : Ticks(x.low, x.high)) {
    absl::StrAppend(&out, Line(x(v), kTop, x(v), bottom, kGrid),
                    Text(x(v), bottom + 16, "middle", TickText(v)));
  }
  absl::StrAppend(&out, Line(10, bottom, kWidth - 10, bottom, kAxis));
  for (const ReferenceLine& line : references) {
    absl::StrAppend(&out, Line(x(line.value), kTop, x(line.value), bottom, kReference));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const double top = kTop + 4 + kRow * static_cast<double>(i);
    absl::StrAppend(&out, Text(10, top + 11, "start", rows[i].label),
                    Text(kWidth - 10, top + 11, "end", rows[i].text),
                    IntervalMark(rows[i], x, top + 24));
  }
  return out + "</svg>";
}

}  // namespace scm::report
