#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/human.h"
#include "scmctl/plan/plan.h"
#include "scmctl/table.h"

namespace scm {
namespace {

std::string Money(const Json& quantiles, const std::string& currency) {
  if (!quantiles.is_object() || !MemberAt(quantiles, "p50").is_number()) return "–";
  return absl::StrCat(HumanMoney(NumberAt(quantiles, "p50", 0), currency), "–",
                      HumanMoney(NumberAt(quantiles, "p90", 0), currency));
}

std::string Ends(const Json& quantiles) {
  if (!quantiles.is_object()) return "–";
  return absl::StrCat("+", HumanDuration(absl::Seconds(NumberAt(quantiles, "p50", 0))), " – +",
                      HumanDuration(absl::Seconds(NumberAt(quantiles, "p90", 0))));
}

std::string Title(const ExperimentSpec& spec) {
  std::string title = spec.name;
  if (spec.model) {
    absl::StrAppend(&title, " · ", spec.model->base.substr(spec.model->base.rfind('/') + 1),
                    " · LoRA r", spec.lora.r);
  }
  if (spec.sweep) absl::StrAppend(&title, " · ", spec.sweep->max_trials, " sweep trials");
  if (!spec.replicate.seeds.empty()) {
    absl::StrAppend(&title, spec.sweep ? " → " : " · ", spec.replicate.seeds.size(), " seeds");
  }
  return title;
}

std::string StatisticsText(const Json& statistics) {
  std::string text;
  if (MemberAt(statistics, "min_p").is_number()) {
    text = absl::StrFormat("%d paired seeds alone cannot go below p = %.4g",
                           IntegerAt(statistics, "seeds", 0), NumberAt(statistics, "min_p", 0));
  }
  if (MemberAt(statistics, "detectable_effect").is_number()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", "with ", IntegerAt(statistics, "items", 0),
                    " test items in ", IntegerAt(statistics, "clusters", 0),
                    " clusters the primary comparison can detect ",
                    absl::StrFormat("+%.1f points (power 80 %%)",
                                    100 * NumberAt(statistics, "detectable_effect", 0)));
  }
  return text;
}

// "label       text", wrapped at `width` with the label's column kept free.
void Paragraph(std::string& out, const std::string& label, const std::string& text, int width) {
  constexpr int kIndent = 12;
  std::string line = label;
  line.resize(kIndent, ' ');
  int column = kIndent;
  size_t start = 0;
  while (start < text.size()) {
    size_t end = text.find(' ', start);
    if (end == text.npos) end = text.size();
    const std::string word = text.substr(start, end - start);
    if (column > kIndent && column + 1 + DisplayWidth(word) > width) {
      absl::StrAppend(&out, line, "\n");
      line = std::string(kIndent, ' ');
      column = kIndent;
    }
    if (column > kIndent) {
      line += ' ';
      ++column;
    }
    line += word;
    column += DisplayWidth(word);
    start = end + 1;
  }
  absl::StrAppend(&out, line, "\n");
}

}  // namespace

std::string RenderPlan(const Json& plan, const ExperimentSpec& spec, int width, bool colour) {
  const Terminal terminal{true, colour, width};
  const std::string currency = spec.budget ? spec.budget->currency : "USD";
  std::string out = absl::StrCat(Title(spec), "\n\n");
  Table table({{"stage"}, {"tasks", true}, {"steps", true}, {"cost P50–P90"}, {"ends P50–P90"}});
  for (const Json& stage : MemberAt(plan, "stages")) {
    const Json& steps = MemberAt(stage, "steps");
    table.Add({StringAt(stage, "name"), absl::StrCat(IntegerAt(stage, "tasks", 0)),
               steps.is_number() ? absl::StrFormat("%.0f", steps.get<double>()) : "–",
               Money(MemberAt(stage, "cost"), currency), Ends(MemberAt(stage, "ends"))});
  }
  const std::string total = absl::StrCat(
      Money(MemberAt(plan, "cost"), currency),
      spec.budget ? absl::StrCat(" of ", HumanMoney(spec.budget->limit, currency)) : "");
  table.Add({"total", absl::StrCat(IntegerAt(plan, "tasks", 0)), "", total, ""});
  absl::StrAppend(&out, table.Render(terminal, ""), "\n");
  std::string rungs;
  for (const Json& row : MemberAt(plan, "rungs")) {
    absl::StrAppend(&rungs, rungs.empty() ? "" : " · ", IntegerAt(row, "trials", 0), " reach ",
                    IntegerAt(row, "step", 0));
  }
  if (!rungs.empty()) Paragraph(out, "rungs", rungs, width);
  if (MemberAt(plan, "slots").is_number()) {
    Paragraph(out, "placement",
              absl::StrCat(IntegerAt(plan, "slots", 0), " tasks can run at once"), width);
  }
  for (const Json& failure : MemberAt(plan, "unplaceable")) {
    Paragraph(out, "placement", failure.get<std::string>(), width);
  }
  const std::string statistics = StatisticsText(MemberAt(plan, "statistics"));
  if (!statistics.empty()) Paragraph(out, "statistics", statistics, width);
  for (const Json& warning : MemberAt(plan, "warnings")) {
    Paragraph(out, "warning", warning.get<std::string>(), width);
  }
  for (const Json& lack : MemberAt(plan, "missing")) {
    Paragraph(out, "missing", lack.get<std::string>(), width);
  }
  return out;
}

}  // namespace scm
