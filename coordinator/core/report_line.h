// Lines of a trainer's report spool (docs/trainer-protocol.md) as plain values. Whoever receives
// the bytes reads them, once and in linear time; the controller's thread sees only what stands
// here, which is bounded however long the line was. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"

namespace scm::core {

// What one report may make the coordinator remember.
inline constexpr size_t kMaxReportBatch = (1 << 20) + 2;  // bytes of lines that come in one message
inline constexpr size_t kMaxMetricsPerReport = 64;  // besides those that the coordinator asks for
inline constexpr size_t kMaxMetricName = 64;        // bytes
inline constexpr size_t kMaxSummary = 16 << 10;     // bytes of JSON
inline constexpr size_t kNamedBadLines = 3;         // one by one; after them they are counted
inline constexpr int64_t kMaxStep = 1'000'000'000'000;

struct ReportLine {
  enum class Kind { kIgnored, kBad, kStarted, kProgress, kValidation, kStopped, kDone, kFailed };
  Kind kind = Kind::kIgnored;
  int64_t bytes = 0;  // of the spool, the line's end included
  int64_t lines =
      1;  // in a row that are one value here: ignored ones, and bad ones after the first

  std::string problem;  // kBad: what is wrong, what was expected, how the line begins

  std::string run;  // that the line is about, clean and cut; "" = it names none

  // kProgress, kValidation
  int64_t step = 0;
  std::vector<std::pair<std::string, double>> metrics;  // clean names; may be non-finite
  std::optional<double> correct, items, chance, deff;   // kValidation
  std::string note;  // kProgress: of values that are not finite, for people; clean and cut
  // What of `metrics` was not kept, each with its reason, the first few; and how many in all.
  std::vector<std::string> left_out;
  int64_t left_out_count = 0;

  // The last words: {"type","step"}, {"type","kind","message"} or {"type","summary"}, texts clean
  // and cut. `summary_cut`: members of the summary did not fit.
  Json ending;
  bool summary_cut = false;
};

// Whether rules, forecasts or displays look for this metric of a run: it is kept however many
// others there are.
bool IsRunMetric(absl::string_view name);

// The metric of this name, if the report has it.
std::optional<double> MetricOf(const ReportLine& line, absl::string_view name);

// Every whole line of `spool`; what follows the last newline is not counted.
std::vector<ReportLine> ReadReportLines(absl::string_view spool);

}  // namespace scm::core
