#include "coordinator/core/policy/evidence.h"

#include <cmath>
#include <set>

#include "coordinator/core/policy/below_random.h"
#include "coordinator/core/policy/budget.h"
#include "coordinator/core/policy/no_convergence.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/recompute.h"
#include "coordinator/core/policy/slip.h"
#include "coordinator/core/policy/stalled.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/policy/histories.h"

namespace scm::policy {
namespace {

using testing::HasSubstr;

// One abort of every rule, as it would be stored: through text.
std::vector<Json> Certificates() {
  const absl::Time now = absl::FromUnixSeconds(1700000000);
  RunHistory flat = CurveHistory(1000, [](int64_t s) { return 2 + 0.001 * std::sin(1.0 * s); });
  RunHistory broken = HistoryOf({2, std::nan("")});
  RunHistory silent = HistoryOf({2});
  silent.started_at = now - absl::Hours(1);
  const Verdict verdicts[] = {
      NoConvergencePolicy({}).Evaluate(flat, now),
      BelowRandomPolicy({}).Evaluate(AccuracyHistory({{60, 400}, {61, 400}}, .25, 1.1), now),
      NonFinitePolicy().Evaluate(broken, now),
      StalledPolicy({10}).Evaluate(silent, now),
      EvaluateBudget({"e-1", 200, "USD", 201, 0, std::nullopt}),
      EvaluateStart({"e-1", 200, "USD", 150, 30, std::nullopt}, 25, "run r-2"),
      EvaluateSlip({"e-1", absl::CivilDay(2026, 12, 31), 14,
                    absl::FromCivil(absl::CivilDay(2027, 3, 1), absl::UTCTimeZone())}),
      AbortVerdict(DivergedEvidence(flat, "the loss is NaN"))};
  std::vector<Json> out;
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(verdict.kind, VerdictKind::kAbort) << verdict.reason;
    if (!verdict.evidence) continue;
    out.push_back(ParseJson(EvidenceToJson(*verdict.evidence).dump(), "certificate").value());
  }
  return out;
}

TEST(Evidence, HoldsEveryKeyOfACertificateThatARuleOwns) {
  std::set<std::string> rules;
  for (const Json& json : Certificates()) {
    rules.insert(StringAt(json, "rule"));
    for (const char* key :
         {"rule", "version", "subject", "step", "verdict", "reason", "seen", "threshold",
          "confidence", "window", "statistic", "limits", "false_abort_rate", "nominal_rate"}) {
      EXPECT_TRUE(json.contains(key)) << key;
    }
    for (const char* key : {"reason", "seen", "threshold", "confidence"}) {
      EXPECT_FALSE(StringAt(json, key).empty()) << json["rule"] << " " << key;
    }
    EXPECT_EQ(json["verdict"], "abort");
    EXPECT_EQ(json["window"]["steps"].size(), json["window"]["values"].size());
  }
  EXPECT_EQ(rules.size(), 6u);
}

TEST(Evidence, SurvivesTheRoundTrip) {
  for (const Json& json : Certificates()) {
    const Evidence e = EvidenceFromJson(json).value();
    EXPECT_EQ(EvidenceToJson(e).dump(), json.dump());
  }
}

TEST(Evidence, RefusesIncompleteCertificates) {
  const Json good = Certificates()[0];
  for (const char* key : {"rule", "version", "window", "statistic", "limits"}) {
    Json bad = good;
    bad.erase(key);
    EXPECT_THAT(EvidenceFromJson(bad).status().message(), HasSubstr(key));
  }
  Json short_window = good;
  short_window["window"]["steps"].erase(0);
  EXPECT_FALSE(EvidenceFromJson(short_window).ok());
  Json words = good;
  words["statistic"]["noise"] = "loud";
  EXPECT_THAT(EvidenceFromJson(words).status().message(), HasSubstr("statistic.noise"));
  EXPECT_FALSE(EvidenceFromJson(Json(3)).ok());
}

TEST(Recompute, ReproducesWhatTheRulesDecided) {
  for (const Json& json : Certificates()) {
    const Recomputation again = RecomputeCertificate(json).value();
    EXPECT_TRUE(again.reproduced) << json["rule"] << ": " << again.text;
  }
}

TEST(Recompute, NoticesChangedWindows) {
  for (Json json : Certificates()) {
    SCOPED_TRACE(StringAt(json, "rule"));
    Json& values = json["window"]["values"];
    const std::string rule = StringAt(json, "rule");
    if (rule == "below_random") {
      json["statistic"]["correct_2"] = 120;
    } else if (rule == "no_convergence") {
      for (size_t i = 5; i < values.size(); ++i) values[i] = 1.0;  // a run that converged
    } else {
      values[0] = 1.0;
      json["statistic"]["start_cost"] = 0;
    }
    const Recomputation again = RecomputeCertificate(json).value();
    EXPECT_FALSE(again.reproduced);
    EXPECT_THAT(again.text, HasSubstr("not reproduced"));
  }
}

TEST(Recompute, NoticesChangedStatistics) {
  Json json = Certificates()[0];
  json["statistic"]["best_bound"] = NumberAt(json["statistic"], "best_bound", 0) + 1e-6;
  const Recomputation again = RecomputeCertificate(json).value();
  EXPECT_FALSE(again.reproduced);
  EXPECT_THAT(again.text, HasSubstr("best_bound"));
}

// As version 1 wrote it: a reduction had no lower limit. Its numbers were computed apart, in
// Python.
constexpr char kVersionOne[] = R"({
  "id": "c-1", "rule": "no_convergence", "version": 1, "subject": "r-1", "step": 1000,
  "verdict": "abort", "reason": "no convergence", "seen": "…", "threshold": "…",
  "confidence": "nominal",
  "window": {"steps": [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000],
             "values": [4.0, 9.1, 9.7, 9.4, 9.9, 9.5, 9.6, 9.8, 9.3, 9.7, 9.6]},
  "statistic": {"best_reduction": -1.275, "best_bound": -1.0110270942529782,
                "noise": 0.11348792164532313, "slope_bound": 0.00016666666666666606,
                "projected_bound": -1.158333333333334, "sign_sum": 7, "falling": 0},
  "limits": {"min_loss_reduction": 0.05, "max_steps": 2000, "after_step": 1000, "stride": 1},
  "false_abort_rate": null, "nominal_rate": 0.01})";

TEST(Recompute, VerifiesCertificatesOfTheFirstVersion) {
  Json json = ParseJson(kVersionOne, "certificate").value();
  const Recomputation again = RecomputeCertificate(json).value();
  EXPECT_TRUE(again.reproduced) << again.text;
  json["version"] = 2;  // whose reductions end at −1
  EXPECT_THAT(RecomputeCertificate(json).value().text, HasSubstr("best_reduction"));
}

TEST(Recompute, RefusesWhatItCannotJudge) {
  Json unknown = Certificates()[0];
  unknown["rule"] = "moon_phase";
  EXPECT_EQ(RecomputeCertificate(unknown).status().code(), absl::StatusCode::kNotFound);
  Json later = Certificates()[0];
  later["version"] = 3;
  EXPECT_EQ(RecomputeCertificate(later).status().code(), absl::StatusCode::kFailedPrecondition);
  Json shuffled = Certificates()[0];
  std::swap(shuffled["window"]["steps"][3], shuffled["window"]["steps"][4]);
  EXPECT_FALSE(RecomputeCertificate(shuffled).ok());
  for (Json json : Certificates()) {
    if (StringAt(json, "rule") == "non_finite") continue;  // its limit is a definition
    json["limits"] = Json::object();
    EXPECT_EQ(RecomputeCertificate(json).status().code(), absl::StatusCode::kInvalidArgument)
        << json["rule"];
  }
}

}  // namespace
}  // namespace scm::policy
