#include "corpus/quality.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "corpus/quality_checks.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace {

// An accepted error stays visible, as a warning that says so.
void ApplyAcceptance(const Corpus& corpus, std::vector<Finding>* findings) {
  for (Finding& finding : *findings) {
    if (finding.severity != Severity::kError || corpus.info.accept.count(finding.check) == 0)
      continue;
    finding.severity = Severity::kWarning;
    absl::StrAppend(&finding.message, " (accepted in corpus.json)");
  }
}

}  // namespace

const char* SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
  }
  return "";
}

Finding MakeFinding(const QualityInput& input, Severity severity, const std::string& check,
                    const std::string& message, const std::vector<std::string>& subjects) {
  Finding finding{severity, check, message, subjects, static_cast<int64_t>(subjects.size())};
  const size_t listed = static_cast<size_t>(std::max<int64_t>(input.options.listed_subjects, 0));
  if (finding.subjects.size() > listed) finding.subjects.resize(listed);
  return finding;
}

std::string QuestionKey(const Item& item) {
  if (item.is_conversation()) return absl::StrCat(item.task, "\n", Fold(TextOf(item)));
  std::vector<std::string> choices;
  for (const std::string& choice : item.choices) choices.push_back(Fold(choice));
  std::sort(choices.begin(), choices.end());
  return absl::StrCat(item.task, "\n", Fold(item.prompt), "\n", absl::StrJoin(choices, "\n"));
}

bool QualityReport::has_errors() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.severity == Severity::kError; });
}

std::vector<std::string> QualityReport::Messages(Severity severity) const {
  std::vector<std::string> messages;
  for (const Finding& finding : findings) {
    if (finding.severity == severity) messages.push_back(finding.message);
  }
  return messages;
}

QualityReport CheckQuality(const Corpus& corpus, const SplitAssignment& assignment,
                           const QualityOptions& options) {
  const QualityInput input{corpus, assignment, options,
                           options.tasks.empty() ? corpus.TaskNames() : options.tasks};
  QualityReport report;
  FindEmptySplits(input, &report.findings);
  FindClusterLeakage(input, &report.findings);
  FindExactDuplicates(input, &report.findings);
  FindNearDuplicates(input, &report.findings);
  FindContainment(input, &report.findings);
  FindConflictingLabels(input, &report.findings);
  FindImbalance(input, &report.findings);
  FindMissingFields(input, &report.findings);
  ApplyAcceptance(corpus, &report.findings);
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  report.summary = SummarizeCorpus(input);
  return report;
}

Json QualityToJson(const Corpus& corpus, const QualityReport& report) {
  Json json = {{"version", 1},
               {"demonstration", corpus.info.demonstration},
               {"digest", corpus.digest},
               {"findings", Json::array()}};
  for (const Finding& finding : report.findings) {
    json["findings"].push_back({{"severity", SeverityName(finding.severity)},
                                {"check", finding.check},
                                {"message", finding.message},
                                {"count", finding.count},
                                {"subjects", finding.subjects}});
  }
  json["summary"] = report.summary;
  return json;
}

}  // namespace scm::corpus
