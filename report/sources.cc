// Where the result comes from: the trials of the sweep, the checks of the data, the experiment's
// file.
#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "report/data_warnings.h"
#include "report/pages.h"

namespace scm::report {
namespace {

std::string ValueText(const Json& trial) {
  const std::optional<double> value = NumberFromJson(MemberAt(trial, "value"));
  return value ? HumanNumber(*value, 4) : "–";
}

std::string StepText(const Json& json, const char* key) {
  return MemberAt(json, key).is_number() ? absl::StrCat(IntegerAt(json, key, 0)) : "–";
}

}  // namespace

void LayOutSweep(const Findings& findings, Pages& pages) {
  const Json& sweep = MemberAt(findings.data, "sweep");
  const std::string winner = StringAt(sweep, "winner");
  Rows rows;
  for (const Json& trial : MemberAt(sweep, "trials")) {
    const std::string id = StringAt(trial, "trial"), parameters = ParametersText(trial);
    rows.push_back({absl::StrCat(id, !winner.empty() && id == winner ? " (chosen)" : ""),
                    StringAt(trial, "run", "–"), parameters.empty() ? "–" : parameters,
                    ValueText(trial), StepText(trial, "value_step"), StringAt(trial, "state", "–"),
                    absl::StrCat(StepText(trial, "step"), "/", StepText(trial, "stop_at_step")),
                    StringAt(trial, "reason", "–")});
  }
  if (rows.empty()) return;
  pages.Heading("Sweep");
  const std::string metric = StringAt(sweep, "metric");
  pages.Table(absl::StrCat(
                  "Every trial, best first by ", metric, " (", StringAt(sweep, "mode"),
                  "). The value is that of the furthest rung that the trial reached",
                  findings.seeds.empty()
                      ? "."
                      : ", and the chosen one's is the best of many: the seeds were trained anew."),
              {"trial", "run", "parameters", metric, "at step", "state", "reached", "reason"},
              std::move(rows));
}

void LayOutDataChecks(const Findings& findings, Pages& pages) {
  Rows rows;
  for (const Json& finding : MemberAt(MemberAt(findings.data, "data_check"), "findings")) {
    rows.push_back({StringAt(finding, "severity", "–"), StringAt(finding, "check", "–"),
                    StringAt(finding, "message", "–")});
  }
  const std::vector<std::string> warnings = DataWarnings(findings.data);
  for (const std::string& warning : warnings) {
    bool told = false;
    for (const auto& row : rows) told = told || row[2] == warning;
    if (!told) rows.push_back({"warning", "–", warning});
  }
  if (rows.empty()) return;
  pages.Heading("Checks before training");
  pages.Table("", {"severity", "check", "finding"}, std::move(rows));
}

void LayOutFile(const Findings& findings, Pages& pages) {
  const std::string source = StringAt(MemberAt(findings.data, "experiment"), "source");
  if (source.empty()) return;
  pages.Heading("The experiment file, as it was submitted");
  pages.Code(source);
}

}  // namespace scm::report
