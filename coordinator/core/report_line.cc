#include "coordinator/core/report_line.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/text.h"

namespace scm::core {
namespace {

constexpr size_t kShownOfLine = 200;  // bytes of a bad line in its event
constexpr size_t kNamedLeftOut = 10;
constexpr size_t kMaxKind = 64, kMaxRun = 64, kMaxNote = 300;

constexpr absl::string_view kRunMetrics[] = {"train_loss",          "grad_norm", "validation_loss",
                                             "validation_accuracy", "tokens",    "learning_rate"};

// `total` is that of a task without a run.
bool IsAskedFor(absl::string_view name) { return IsRunMetric(name) || name == "total"; }

std::string Shown(const Json& value) { return LineOf(DumpJson(value), 80); }

// The step, or what was expected instead.
absl::StatusOr<int64_t> StepOf(const Json& report) {
  const Json& step = MemberAt(report, "step");
  const std::string expected = absl::StrCat("expected a whole number from 0 to ", kMaxStep);
  if (step.is_null()) return absl::InvalidArgumentError(absl::StrCat("no \"step\": ", expected));
  const std::optional<double> number =
      step.is_number() ? std::optional<double>(step.get<double>()) : std::nullopt;
  if (!number || !(*number >= 0) || *number > static_cast<double>(kMaxStep) ||
      *number != std::floor(*number)) {
    return absl::InvalidArgumentError(absl::StrCat("\"step\" is ", Shown(step), ": ", expected));
  }
  return static_cast<int64_t>(*number);
}

absl::Status CheckSection(const Json& section, absl::string_view name) {
  if (section.is_null() || section.is_object()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is ", Shown(section), ": expected an object of numbers"));
}

void LeaveOut(absl::string_view name, absl::string_view reason, ReportLine& line) {
  ++line.left_out_count;
  if (line.left_out.size() < kNamedLeftOut) {
    line.left_out.push_back(absl::StrCat("\"", LineOf(name, kMaxMetricName), "\" (", reason, ")"));
  }
}

void ReadMetrics(const Json& metrics, ReportLine& line) {
  if (!metrics.is_object()) return;
  size_t others = 0;
  std::set<std::string> names;
  for (const auto& [key, value] : metrics.get_ref<const Json::object_t&>()) {
    if (value.is_null()) continue;  // not measured this time
    const std::optional<double> number = NumberFromJson(value);
    std::string name = LineOf(key, kMaxMetricName + 1);
    if (!number) {
      LeaveOut(key, "no number", line);
    } else if (key.empty() || key.size() > kMaxMetricName) {
      LeaveOut(key, absl::StrCat("a name has 1 to ", kMaxMetricName, " bytes"), line);
    } else if (!IsAskedFor(key) && others == kMaxMetricsPerReport) {
      LeaveOut(key, absl::StrCat("beyond the first ", kMaxMetricsPerReport, " of a report"), line);
    } else if (names.insert(name).second) {
      if (!IsAskedFor(key)) ++others;
      line.metrics.emplace_back(std::move(name), *number);
    }
  }
}

void ReadCounts(const Json& counts, ReportLine& line) {
  line.correct = NumberFromJson(MemberAt(counts, "correct"));
  line.items = NumberFromJson(MemberAt(counts, "items"));
  line.chance = NumberFromJson(MemberAt(counts, "chance"));
  line.deff = NumberFromJson(MemberAt(counts, "deff"));
}

absl::Status ReadPoint(const Json& report, ReportLine& line) {
  const absl::StatusOr<int64_t> step = StepOf(report);
  if (!step.ok()) return step.status();
  const Json& metrics = MemberAt(report, "metrics");
  const Json& counts = MemberAt(report, "counts");
  for (const absl::Status& status :
       {CheckSection(metrics, "metrics"), CheckSection(counts, "counts")}) {
    if (!status.ok()) return status;
  }
  line.step = *step;
  ReadMetrics(metrics, line);
  ReadCounts(counts, line);
  return absl::OkStatus();
}

// The members that fit, in their order.
Json BoundedSummary(const Json& summary, bool& cut) {
  Json kept = Json::object();
  if (!summary.is_object()) {
    cut = !summary.is_null();
    return kept;
  }
  size_t used = 2;
  for (const auto& [key, value] : summary.get_ref<const Json::object_t&>()) {
    const size_t size = key.size() + DumpJson(value).size() + 4;
    if (used + size > kMaxSummary) {
      cut = true;
      continue;
    }
    used += size;
    kept.push_back({key, value});
  }
  return CleanTexts(kept);
}

// A last word counts even where the rest of it is not as it should be.
void ReadEnding(const Json& report, absl::string_view type, ReportLine& line) {
  line.ending = {{"type", type}};
  if (type == "stopped") {
    line.kind = ReportLine::Kind::kStopped;
    line.ending["step"] = StepOf(report).value_or(0);
  } else if (type == "failed") {
    line.kind = ReportLine::Kind::kFailed;
    line.ending["kind"] = LineOf(StringAt(report, "kind"), kMaxKind);
    line.ending["message"] = TextOf(StringAt(report, "message", "no message"));
  } else {
    line.kind = ReportLine::Kind::kDone;
    line.ending["summary"] = BoundedSummary(MemberAt(report, "summary"), line.summary_cut);
  }
}

absl::Status ReadReport(const Json& report, ReportLine& line) {
  if (!report.is_object()) return absl::InvalidArgumentError("not a JSON object");
  const std::string type = StringAt(report, "type");
  line.run = LineOf(StringAt(report, "run"), kMaxRun);
  if (type == "started") {
    line.kind = ReportLine::Kind::kStarted;
  } else if (type == "progress" || type == "validation") {
    const absl::Status read = ReadPoint(report, line);
    if (!read.ok()) return absl::InvalidArgumentError(absl::StrCat(type, ": ", read.message()));
    line.kind = type == "progress" ? ReportLine::Kind::kProgress : ReportLine::Kind::kValidation;
    if (type == "progress") line.note = LineOf(StringAt(report, "note"), kMaxNote);
  } else if (type == "stopped" || type == "failed" || type == "done") {
    ReadEnding(report, type, line);
  }
  // `checkpoint` and `artifact` exist through their upload; unknown types are ignored by contract.
  return absl::OkStatus();
}

// What begins and ends like an object. Anything else is seen to be none without a parser: a program
// that prints a million line ends must not keep its reader busy.
bool LooksLikeAnObject(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  return text.size() >= 2 && text.front() == '{' && text.back() == '}';
}

ReportLine ReadLine(absl::string_view text) {
  ReportLine line;
  line.bytes = static_cast<int64_t>(text.size()) + 1;
  const absl::StatusOr<Json> report = LooksLikeAnObject(text)
                                          ? ParseReportJson(text, "line")
                                          : absl::StatusOr<Json>(absl::InvalidArgumentError(
                                                "it does not begin and end with { and }"));
  const absl::Status read = report.ok() ? ReadReport(*report, line) : report.status();
  if (read.ok()) return line;
  line.kind = ReportLine::Kind::kBad;
  line.problem =
      absl::StrCat(report.ok() ? "" : "not a JSON object: ", LineOf(read.message(), kShownOfLine),
                   "; the line: ", LineOf(text, kShownOfLine));
  return line;
}

}  // namespace

bool IsRunMetric(absl::string_view name) {
  return std::find(std::begin(kRunMetrics), std::end(kRunMetrics), name) != std::end(kRunMetrics);
}

std::optional<double> MetricOf(const ReportLine& line, absl::string_view name) {
  for (const auto& [key, value] : line.metrics) {
    if (absl::string_view(key) == name) return value;
  }
  return std::nullopt;
}

std::vector<ReportLine> ReadReportLines(absl::string_view spool) {
  std::vector<ReportLine> lines;
  size_t bad = 0;
  for (size_t end; (end = spool.find('\n')) != spool.npos; spool.remove_prefix(end + 1)) {
    ReportLine line = ReadLine(spool.substr(0, end));
    if (line.kind == ReportLine::Kind::kBad) ++bad;
    const bool joins = line.kind == ReportLine::Kind::kIgnored ||
                       (line.kind == ReportLine::Kind::kBad && bad > kNamedBadLines);
    if (joins && !lines.empty() && lines.back().kind == line.kind) {
      lines.back().bytes += line.bytes;
      lines.back().lines += 1;
    } else {
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

}  // namespace scm::core
