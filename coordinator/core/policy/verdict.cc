#include "coordinator/core/policy/verdict.h"

#include <utility>

namespace scm::policy {

const char* VerdictName(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kContinue:
      return "continue";
    case VerdictKind::kAbort:
      return "abort";
    case VerdictKind::kUndecided:
      return "undecided";
  }
  return "";
}

Verdict ContinueVerdict(std::string rule, std::string reason) {
  Verdict out;
  out.kind = VerdictKind::kContinue;
  out.rule = std::move(rule);
  out.reason = std::move(reason);
  return out;
}

Verdict UndecidedVerdict(std::string rule, std::string reason) {
  Verdict out = ContinueVerdict(std::move(rule), std::move(reason));
  out.kind = VerdictKind::kUndecided;
  return out;
}

Verdict AbortVerdict(Evidence evidence, bool censored) {
  Verdict out = ContinueVerdict(evidence.rule, evidence.reason);
  out.kind = VerdictKind::kAbort;
  out.censored = censored;
  out.evidence = std::move(evidence);
  return out;
}

}  // namespace scm::policy
