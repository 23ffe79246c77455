#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "scmctl/render.h"

namespace scm {
namespace {

void Line(std::string& out, const char* label, const std::string& text) {
  if (text.empty()) return;
  std::string title = label;
  title.resize(16, ' ');
  absl::StrAppend(&out, "  ", title, text, "\n");
}

std::string SavedText(const Json& saved) {
  std::string text;
  const Json& steps = MemberAt(saved, "steps");
  if (steps.is_number()) absl::StrAppend(&text, Cell(steps), " steps");
  const Json& seconds = MemberAt(saved, "seconds");
  if (seconds.is_number()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ",
                    HumanDuration(absl::Seconds(seconds.get<double>())));
  }
  const Json& money = MemberAt(saved, "money");
  if (money.is_number()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ",
                    HumanMoney(money.get<double>(), StringAt(saved, "currency", "USD")));
  }
  return text;
}

std::string Certificate(const std::string& subject, const Json& c) {
  std::string out =
      absl::StrCat(subject, " was stopped at step ", Cell(MemberAt(c, "step")), " by rule ",
                   StringAt(c, "rule"), ", version ", Cell(MemberAt(c, "version")), ".\n");
  Line(out, "What was seen", StringAt(c, "seen"));
  Line(out, "The rule", StringAt(c, "threshold"));
  Line(out, "How sure", StringAt(c, "confidence"));
  Line(out, "Consequence", StringAt(c, "reason"));
  Line(out, "Saved", SavedText(MemberAt(c, "saved")));
  const Json& checkpoint = MemberAt(c, "checkpoint");
  std::string evidence = absl::StrCat("certificate ", StringAt(c, "id"));
  if (checkpoint.is_object()) {
    absl::StrAppend(&evidence, " · checkpoint step ", Cell(MemberAt(checkpoint, "step")),
                    " sha256 ", StringAt(checkpoint, "sha256").substr(0, 8), "…");
  }
  absl::StrAppend(&evidence, " · recompute: scmctl why ", StringAt(c, "id"), " --verify");
  Line(out, "Evidence", evidence);
  return out;
}

}  // namespace

std::string RenderWhy(const Json& answer, const Terminal& terminal) {
  std::string out;
  for (const Json& reason : MemberAt(answer, "reasons")) {
    const Json& certificate = MemberAt(reason, "certificate");
    const std::string subject = StringAt(reason, "subject");
    if (certificate.is_object()) {
      absl::StrAppend(&out, Certificate(subject, certificate));
      continue;
    }
    const std::string verdict = StringAt(reason, "verdict"), text = StringAt(reason, "text");
    const bool gate = StringAt(reason, "rule") == "gate";
    absl::StrAppend(&out, subject, gate ? absl::StrCat(": gate ", verdict) : "",
                    text.empty() ? ""
                    : gate       ? ", "
                                 : ": ",
                    text, "\n");
  }
  return out;
}

}  // namespace scm
