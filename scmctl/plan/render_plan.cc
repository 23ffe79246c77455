#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/human.h"
#include "scmctl/plan/gpu_prices.h"
#include "scmctl/plan/plan.h"
#include "scmctl/render/render.h"
#include "scmctl/render/table.h"

namespace scm::ctl {
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

// "Tue 14:10", or with the date when it is not within a week.
std::string Day(const std::string& rfc3339) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, rfc3339, &time, &error)) return "–";
  const bool near = time - absl::Now() < absl::Hours(6 * 24);
  return absl::FormatTime(near ? "%a %H:%M" : "%Y-%m-%d %H:%M", time, absl::LocalTimeZone());
}

std::string Finish(const Json& finish) {
  const std::string p50 = StringAt(finish, "p50"), p90 = StringAt(finish, "p90");
  if (p50.empty()) return "–";
  const std::string from = Day(p50), to = Day(p90);
  return from == to ? from : absl::StrCat(from, " – ", to);
}

std::string Steps(const Json& stage, const Json& rungs) {
  if (StringAt(stage, "name") == "sweep" && rungs.size() > 1) {
    std::string text;
    for (const Json& row : rungs) {
      absl::StrAppend(&text, text.empty() ? "" : "/", IntegerAt(row, "step", 0));
    }
    return text;
  }
  return Cell(MemberAt(stage, "steps"));
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

std::string Places(int64_t slots) {
  return absl::StrCat(slots, slots == 1 ? " task can run at a time" : " tasks can run at once");
}

std::string StatisticsText(const Json& statistics) {
  std::vector<std::string> parts;
  if (MemberAt(statistics, "items").is_number()) {
    const int64_t clusters = IntegerAt(statistics, "clusters", 0);
    std::string text =
        absl::StrCat("with ", IntegerAt(statistics, "items", 0), " test items in ", clusters,
                     clusters == 1 ? " cluster" : " clusters", " the primary comparison ");
    const std::string nothing = StringAt(statistics, "nothing_detectable");
    absl::StrAppend(&text, nothing.empty()
                               ? absl::StrFormat("can detect +%.1f points (power 80 %%)",
                                                 100 * NumberAt(statistics, "detectable_effect", 0))
                               : absl::StrCat("cannot detect any difference: ", nothing));
    parts.push_back(std::move(text));
  }
  if (MemberAt(statistics, "p_gate_effect").is_number()) {
    parts.push_back(absl::StrFormat("the p gate can be met from a gain of about %.1f points on",
                                    100 * NumberAt(statistics, "p_gate_effect", 0)));
  }
  if (MemberAt(statistics, "min_p").is_number()) {
    parts.push_back(absl::StrFormat(
        "the report's p is taken over clusters and seeds together and has no lowest value (paired "
        "seeds alone, %d of them, could not go below p = %.4g; no gate uses that)",
        IntegerAt(statistics, "seeds", 0), NumberAt(statistics, "min_p", 0)));
  }
  return absl::StrJoin(parts, "; ");
}

// "label       text", wrapped at `width` with the label's column kept free.
void Paragraph(std::string& out, const std::string& label, const std::string& text, int width) {
  constexpr int kIndent = 12;
  std::string head = label;
  for (const std::string& line : Wrap(text, width - kIndent)) {
    head.resize(kIndent, ' ');
    absl::StrAppend(&out, head, line, "\n");
    head.clear();
  }
}

}  // namespace

std::string RenderPlan(const Json& plan, const ExperimentSpec& spec, int width, bool colour) {
  const Terminal terminal{true, colour, width};
  const std::string currency = spec.budget ? spec.budget->currency : "USD";
  std::string out = absl::StrCat(Title(spec), "\n\n");
  TextTable table(
      {{"stage"}, {"tasks", true}, {"steps", true}, {"cost P50–P90"}, {"ends P50–P90"}});
  for (const Json& stage : MemberAt(plan, "stages")) {
    table.Add({StringAt(stage, "name"), absl::StrCat(IntegerAt(stage, "tasks", 0)),
               Steps(stage, MemberAt(plan, "rungs")), Money(MemberAt(stage, "cost"), currency),
               Ends(MemberAt(stage, "ends"))});
  }
  const std::string total = absl::StrCat(
      Money(MemberAt(plan, "cost"), currency),
      spec.budget ? absl::StrCat(" of ", HumanMoney(spec.budget->limit, currency)) : "");
  table.Add({"total", absl::StrCat(IntegerAt(plan, "tasks", 0)), "", total,
             Finish(MemberAt(plan, "finish"))});
  absl::StrAppend(&out, table.Render(terminal, ""), "\n");
  const Json& training = MemberAt(plan, "training");
  if (training.is_object()) {
    Paragraph(out, "training",
              absl::StrCat(HumanNumber(NumberAt(training, "epochs", 0), 3), " epochs of ",
                           IntegerAt(training, "examples", 0), " examples in the ",
                           IntegerAt(training, "steps", 0), " steps of a full run"),
              width);
  }
  std::string rungs;
  for (const Json& row : MemberAt(plan, "rungs")) {
    absl::StrAppend(&rungs, rungs.empty() ? "" : " · ", IntegerAt(row, "trials", 0), " reach ",
                    IntegerAt(row, "step", 0));
  }
  if (!rungs.empty()) Paragraph(out, "rungs", rungs, width);
  if (IntegerAt(plan, "slots", 0) > 0) {
    Paragraph(out, "placement", Places(IntegerAt(plan, "slots", 0)), width);
  }
  for (const Json& failure : MemberAt(plan, "unplaceable")) {
    Paragraph(out, "placement", failure.get<std::string>(), width);
  }
  for (const Json& price : MemberAt(plan, "gpu_prices")) {
    Paragraph(out, "price", GpuPriceText(price, currency), width);
  }
  if (const std::string packing = StringAt(plan, "packing"); !packing.empty()) {
    Paragraph(out, "packing", packing, width);
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

}  // namespace scm::ctl
