#include "report/pages.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"

namespace scm::report {
namespace {

// "2026-11-02T09:30:00.000Z" as people read it.
std::string Minute(const std::string& time) {
  if (time.size() < 17 || time[10] != 'T') return time;
  return absl::StrCat(time.substr(0, 10), " ", time.substr(11, 5), " UTC");
}

}  // namespace

void Pages::Add(Block::Kind kind, const std::string& text) {
  document_.blocks.push_back({kind, text, {}, {}, "", ""});
}

void Pages::Code(const std::string& text) {
  if (!text.empty()) Add(Block::Kind::kCode, text);
}

void Pages::List(const std::vector<std::string>& entries) {
  if (entries.empty()) return;
  Add(Block::Kind::kList, "");
  for (const std::string& entry : entries) document_.blocks.back().rows.push_back({entry});
}

void Pages::Table(const std::string& caption, std::vector<std::string> header, Rows rows,
                  const std::string& name) {
  if (rows.empty()) return;
  document_.blocks.push_back(
      {Block::Kind::kTable, caption, std::move(header), std::move(rows), "", name});
}

void Pages::Figure(const std::string& caption, const std::string& svg, const std::string& table) {
  if (svg.empty()) return;
  document_.blocks.push_back({Block::Kind::kFigure, caption, {}, {}, svg, table});
}

std::string Number(double value, int digits) {
  return std::isfinite(value) ? HumanNumber(value, digits) : "–";
}

std::string Fixed(double value, int digits) {
  return std::isfinite(value) ? absl::StrFormat("%.*f", digits, value) : "–";
}

std::string IntervalText(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return "–";
  return absl::StrFormat("%.3f to %.3f", low, high);
}

std::string PointsText(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return "–";
  return absl::StrFormat("%+.1f to %+.1f", 100 * low, 100 * high);
}

std::string PText(double p) {
  if (!std::isfinite(p)) return "–";
  return p < 0.001 ? "< 0.001" : absl::StrFormat("%.3f", p);
}

std::string MoneyText(const Json& amount, const std::string& currency) {
  return amount.is_number() ? HumanMoney(amount.get<double>(), currency) : "–";
}

std::string ParametersText(const Json& run) {
  std::string text;
  const Json& parameters = MemberAt(run, "parameters");
  for (auto it = parameters.begin(); it != parameters.end(); ++it) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", it.key(), " ", DumpJson(it.value()));
  }
  return text;
}

ReportDocument LayOut(const Findings& findings) {
  ReportDocument document;
  const Json& experiment = MemberAt(findings.data, "experiment");
  document.title = StringAt(experiment, "name");
  document.subtitle = absl::StrCat(
      "Experiment ", StringAt(experiment, "id"), ", submitted ",
      Minute(StringAt(experiment, "submitted_at")),
      findings.demonstration ? ". A demonstration corpus: no evidence about its subject" : "", ".");
  document.decision = findings.decision == "go"      ? "GO"
                      : findings.decision == "no_go" ? "NO-GO"
                                                     : "NOT JUDGED";
  Pages pages(document);
  LayOutFirstPage(findings, pages);
  pages.Part("Details");
  LayOutDetails(findings, pages);
  return document;
}

}  // namespace scm::report
