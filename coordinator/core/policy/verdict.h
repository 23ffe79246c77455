// What a rule decided, and why. Values only.
#pragma once

#include <optional>
#include <string>

#include "coordinator/core/policy/evidence.h"

namespace scm::policy {

enum class VerdictKind {
  kContinue,   // the rule is satisfied
  kAbort,      // the run, or the experiment, is to be stopped
  kUndecided,  // not enough is known: go on, and log it
};
// "continue", "abort", "undecided".
const char* VerdictName(VerdictKind kind);

struct Verdict {
  VerdictKind kind = VerdictKind::kUndecided;
  std::string rule;
  std::string reason;  // one sentence for people, the same text everywhere
  // What an undecided reason is about, without its numbers: said once a run. "": the reason itself.
  std::string topic;
  // Something people should see although nothing is stopped (a forecast beyond the limit), and the
  // word for it, under which it is said once.
  std::string warning, warning_topic;
  // The searcher treats the run as one that was not observed to the end, never as the worst.
  bool censored = false;
  std::optional<Evidence> evidence;  // present exactly for kAbort
};

// The kinds of verdict, with their reasons. The abort's reason is its evidence's.
Verdict ContinueVerdict(std::string rule, std::string reason);
Verdict UndecidedVerdict(std::string rule, std::string reason);
Verdict AbortVerdict(Evidence evidence, bool censored = false);

}  // namespace scm::policy
