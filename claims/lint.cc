#include "claims/lint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "claims/judge_claim.h"
#include "claims/read_claims.h"
#include "common/status_macros.h"

namespace scm::claims {
namespace {

// Whether a sentence is about the work of others.
bool IsCited(const std::vector<Clause>& clauses) {
  bool cites = false;
  for (const Clause& clause : clauses) {
    cites = cites || clause.Has(Cue::kCited);
    if (clause.Mentions(Mentioned::kModel)) return false;
  }
  return cites;
}

void Add(const std::string& text, std::vector<std::string>* list) {
  if (!text.empty() && std::find(list->begin(), list->end(), text) == list->end()) {
    list->push_back(text);
  }
}

class Linter {
 public:
  Linter(const Facts& facts, const Aliases& aliases) : facts_(facts), aliases_(aliases) {}

  LintResult Run(Draft draft) {
    result_.table_rows = draft.table_rows;
    for (const DraftSentence& sentence : draft.sentences) {
      if (sentence.paragraph != paragraph_) context_ = ReadingContext();
      paragraph_ = sentence.paragraph;
      ++result_.sentences;
      Look(sentence);
    }
    return std::move(result_);
  }

 private:
  void Look(const DraftSentence& sentence) {
    if (absl::EndsWith(sentence.text, "?")) return;
    const std::vector<Clause> clauses = ClausesOf(sentence.text, facts_, aliases_);
    if (IsCited(clauses)) {
      ++result_.cited;
      return;
    }
    const std::string shown = absl::StrReplaceAll(
        sentence.text, {{absl::StrCat("  ", kCitation), " […]"}, {kCitation, "[…]"}});
    SentenceFinding finding{sentence.line, shown, Verdict::kNoClaim, {}, {}};
    const Language language = LanguageOf(sentence.text);
    std::vector<std::string> advice;
    for (const Clause& clause : clauses) {
      for (const Claim& claim : ReadClaims(clause, facts_, &context_)) {
        const Judgement judgement = JudgeClaim(claim, facts_, language);
        if (finding.verdict == Verdict::kNoClaim) finding.verdict = Verdict::kSupported;
        Add(judgement.advice, &advice);
        if (judgement.supported) continue;
        finding.verdict = Verdict::kRefused;
        Add(judgement.why, &finding.reasons);
        for (const std::string& one : judgement.instead) Add(one, &finding.instead);
      }
    }
    if (finding.verdict == Verdict::kNoClaim) return;
    if (finding.verdict == Verdict::kSupported) finding.instead = std::move(advice);
    ++(finding.verdict == Verdict::kSupported ? result_.supported : result_.refused);
    result_.findings.push_back(std::move(finding));
  }

  const Facts& facts_;
  const Aliases& aliases_;
  LintResult result_;
  ReadingContext context_;
  int paragraph_ = 0;
};

}  // namespace

absl::StatusOr<LintResult> LintDraft(absl::string_view text, DraftFormat format, const Json& report,
                                     const Aliases& aliases) {
  SCM_ASSIGN_OR_RETURN(const Facts facts, FactsOf(report));
  return Linter(facts, aliases).Run(ReadDraft(text, format));
}

Json ToJson(const LintResult& result) {
  Json findings = Json::array();
  for (const SentenceFinding& one : result.findings) {
    findings.push_back({{"line", one.line},
                        {"sentence", one.sentence},
                        {"supported", one.verdict == Verdict::kSupported},
                        {"reasons", one.reasons},
                        {"instead", one.instead}});
  }
  return {{"sentences", result.sentences},   {"supported", result.supported},
          {"refused", result.refused},       {"cited", result.cited},
          {"table_rows", result.table_rows}, {"findings", findings}};
}

}  // namespace scm::claims
