// The claim linter: sentences of a draft that state a result, each held against what the report
// stores. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "claims/draft.h"
#include "claims/mentions.h"
#include "common/json.h"

namespace scm::claims {

enum class Verdict { kNoClaim, kSupported, kRefused };

struct SentenceFinding {
  int line = 0;
  std::string sentence;
  Verdict verdict = Verdict::kNoClaim;
  std::vector<std::string> reasons;  // of a refusal
  std::vector<std::string> instead;  // what would be true; advice where it is supported
};

struct LintResult {
  std::vector<SentenceFinding> findings;  // those that state a result, in order
  int sentences = 0, supported = 0, refused = 0;
  int table_rows = 0;  // not looked at
  int cited = 0;       // sentences about the work of others: they cite it and name nothing of ours
};

// INVALID_ARGUMENT for what is no report.json.
absl::StatusOr<LintResult> LintDraft(absl::string_view text, DraftFormat format, const Json& report,
                                     const Aliases& aliases = {});

Json ToJson(const LintResult& result);

}  // namespace scm::claims
