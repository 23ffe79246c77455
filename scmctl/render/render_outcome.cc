#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/human.h"
#include "scmctl/render/render.h"

namespace scm::ctl {
namespace {

constexpr int kReadableWidth = 100;  // sentences; a pipe has no edge, but its reader has eyes

std::string Verdict(const Json& experiment) {
  const std::string decision = StringAt(experiment, "decision"),
                    state = StringAt(experiment, "state");
  if (decision == "go") return "finished: GO.";
  if (decision == "no_go") return "finished: NO-GO.";
  if (state == "SUCCEEDED") return "finished. No decision was made.";
  return absl::StrCat("ended: ", state, ".");
}

std::string Count(int64_t count, const char* noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

// "3 trials and 1 seed aborted, $9.80 and 5 h saved".
std::string AbortsText(const Json& status, const Json& why) {
  std::map<std::string, int64_t> aborted;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "state") == "ABORTED") ++aborted[StringAt(run, "stage")];
  }
  std::vector<std::string> what;
  if (aborted["sweep"] > 0) what.push_back(Count(aborted["sweep"], "trial"));
  if (aborted["replicate"] > 0) what.push_back(Count(aborted["replicate"], "seed"));
  if (what.empty()) return "";
  double money = 0, seconds = 0;
  std::string currency;
  for (const Json& reason : MemberAt(why, "reasons")) {
    const Json& saved = MemberAt(MemberAt(reason, "certificate"), "saved");
    seconds += NumberAt(saved, "seconds", 0);
    if (!MemberAt(saved, "money").is_number()) continue;
    money += NumberAt(saved, "money", 0);
    currency = StringAt(saved, "currency", "USD");
  }
  std::vector<std::string> saved;
  if (money > 0) saved.push_back(HumanMoney(money, currency));
  if (seconds >= 1) saved.push_back(HumanDuration(absl::Seconds(seconds)));
  std::string text = absl::StrCat(absl::StrJoin(what, " and "), " aborted");
  if (!saved.empty()) absl::StrAppend(&text, ", ", absl::StrJoin(saved, " and "), " saved");
  return text;
}

// A seed that was trained again, with the fallback model, counts by its latest run.
std::string SeedsText(const Json& status) {
  std::map<int64_t, std::string> state_of;
  for (const Json& run : MemberAt(status, "runs")) {
    if (StringAt(run, "stage") == "replicate") {
      state_of[IntegerAt(run, "seed", 0)] = StringAt(run, "state");
    }
  }
  if (state_of.empty()) return "";
  int64_t finished = 0, failed = 0;
  for (const auto& [seed, state] : state_of) {
    finished += state == "SUCCEEDED" ? 1 : 0;
    failed += state == "FAILED" ? 1 : 0;
  }
  const int64_t seeds = static_cast<int64_t>(state_of.size());
  std::string text = absl::StrCat(finished == seeds ? "" : absl::StrCat(finished, " of "),
                                  Count(seeds, "seed"), " finished");
  if (failed > 0) absl::StrAppend(&text, ", ", failed, " failed");
  return text;
}

}  // namespace

std::string RenderOutcome(const Json& status, const Json& why, const Terminal& terminal) {
  const Json& e = MemberAt(status, "experiment");
  const int width =
      (terminal.interactive ? std::min(terminal.width, kReadableWidth) : kReadableWidth) - 2;
  std::string out = absl::StrCat(StringAt(e, "name"), " ", Verdict(e), "\n");
  const auto paragraph = [&](const std::string& text) {
    if (text.empty()) return;
    for (const std::string& line : Wrap(text, width)) absl::StrAppend(&out, "  ", line, "\n");
  };
  paragraph(StringAt(e, "headline", StringAt(e, "reason")));
  std::vector<std::string> facts;
  const std::string cost = CostText(e);
  for (const std::string& fact : {SeedsText(status), AbortsText(status, why),
                                  cost.empty() ? "" : absl::StrCat(cost, " spent")}) {
    if (!fact.empty()) facts.push_back(fact);
  }
  paragraph(absl::StrJoin(facts, " · "));
  return out;
}

}  // namespace scm::ctl
