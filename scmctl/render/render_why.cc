#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/human.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

constexpr int kWhyWidth = 100;
constexpr int kIndent = 2, kLabel = 16;

int WidthOf(const Terminal& terminal) {
  return terminal.interactive ? std::min(terminal.width, kWhyWidth) : kWhyWidth;
}

// "  Label           text", the text's later lines below its first.
void Line(std::string& out, const char* label, const std::string& text, int width) {
  if (text.empty()) return;
  std::string title = label;
  for (const std::string& line : Wrap(text, width - kIndent - kLabel)) {
    title.resize(kLabel, ' ');
    absl::StrAppend(&out, std::string(kIndent, ' '), title, line, "\n");
    title.clear();
  }
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

std::string Certificate(const std::string& subject, const Json& c, int width) {
  const Json& step = MemberAt(c, "step");
  std::string out = absl::StrCat(
      subject, " was ABORTED", step.is_number() ? absl::StrCat(" at step ", Cell(step)) : "",
      " by rule ", StringAt(c, "rule"), ", version ", Cell(MemberAt(c, "version")), ".\n");
  Line(out, "What was seen", StringAt(c, "seen"), width);
  Line(out, "The rule", StringAt(c, "threshold"), width);
  Line(out, "How sure", StringAt(c, "confidence"), width);
  Line(out, "Consequence", StringAt(c, "reason"), width);
  Line(out, "Saved", SavedText(MemberAt(c, "saved")), width);
  const Json& checkpoint = MemberAt(c, "checkpoint");
  std::string evidence = absl::StrCat("certificate ", StringAt(c, "id"));
  if (checkpoint.is_object()) {
    absl::StrAppend(&evidence, " · checkpoint step ", Cell(MemberAt(checkpoint, "step")),
                    " sha256 ", StringAt(checkpoint, "sha256").substr(0, 8), "…");
  }
  Line(out, "Evidence", evidence, width);
  // A line of its own: a command that is broken in two cannot be copied.
  Line(out, "Recompute", absl::StrCat("scmctl why ", StringAt(c, "id"), " --verify"), width);
  return out;
}

}  // namespace

std::string RenderWhy(const Json& answer, const Terminal& terminal) {
  const int width = WidthOf(terminal);
  std::string out;
  for (const Json& reason : MemberAt(answer, "reasons")) {
    const Json& certificate = MemberAt(reason, "certificate");
    const std::string subject = StringAt(reason, "subject");
    if (certificate.is_object()) {
      absl::StrAppend(&out, Certificate(subject, certificate, width));
      continue;
    }
    const std::string verdict = StringAt(reason, "verdict"), text = StringAt(reason, "text");
    const bool gate = StringAt(reason, "rule") == "gate";
    std::string sentence = gate                   ? absl::StrCat(subject, ": gate ", verdict)
                           : verdict == "warning" ? absl::StrCat(subject, ": warning")
                                                  : subject;
    if (!text.empty()) absl::StrAppend(&sentence, ": ", text);
    bool first = true;
    for (const std::string& line : Wrap(sentence, width - kIndent)) {
      absl::StrAppend(&out, first ? "" : std::string(kIndent, ' '), line, "\n");
      first = false;
    }
  }
  return out.empty() ? absl::StrCat("Nothing is recorded about ", StringAt(answer, "id"), ".\n")
                     : out;
}

}  // namespace scm::ctl
