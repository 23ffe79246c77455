// The rules non_finite and stalled, and the set of rules that an experiment file switches on.
#include <cmath>
#include <limits>

#include "coordinator/core/policy/abort_policy.h"
#include "coordinator/core/policy/non_finite.h"
#include "coordinator/core/policy/stalled.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/policy/histories.h"

namespace scm::policy {
namespace {

using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const absl::Time kNow = absl::FromUnixSeconds(1700000000);

TEST(NonFinite, AbortsOnAnyValueThatIsNoNumber) {
  const NonFinitePolicy policy;
  RunHistory fine = HistoryOf({2, 1.9, 1.8});
  fine.training_loss = 1.7;
  fine.grad_norm = 0.4;
  EXPECT_EQ(policy.Evaluate(fine, kNow).kind, VerdictKind::kContinue);
  EXPECT_EQ(policy.Evaluate(RunHistory{}, kNow).kind, VerdictKind::kContinue);

  RunHistory validation = fine;
  validation.validations[1].loss = std::nan("");
  EXPECT_EQ(policy.Evaluate(validation, kNow).reason,
            "non-finite: the validation loss is NaN at step 50");
  RunHistory training = fine;
  training.training_loss = kInfinity;
  EXPECT_EQ(policy.Evaluate(training, kNow).reason,
            "non-finite: the training loss is Infinity at step 100");
  RunHistory gradient = fine;
  gradient.grad_norm = -kInfinity;
  const Verdict v = policy.Evaluate(gradient, kNow);
  EXPECT_EQ(v.reason, "non-finite: the gradient norm is -Infinity at step 100");
  EXPECT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_FALSE(v.censored);
}

TEST(NonFinite, DivergedTrainerGivesTheSameRule) {
  const Evidence e = DivergedEvidence(HistoryOf({2, 1.9}), "the loss is NaN");
  EXPECT_EQ(e.rule, "non_finite");
  EXPECT_EQ(e.reason, "diverged at step 50: the loss is NaN");
}

TEST(Stalled, CountsSilenceFromTheLatestSignOfLife) {
  const StalledPolicy policy({10});
  RunHistory history = HistoryOf({2});
  EXPECT_EQ(policy.Evaluate(history, kNow).kind, VerdictKind::kUndecided);  // not started
  history.started_at = kNow - absl::Minutes(9);
  EXPECT_EQ(policy.Evaluate(history, kNow).kind, VerdictKind::kContinue);
  history.started_at = kNow - absl::Minutes(60);
  EXPECT_EQ(policy.Evaluate(history, kNow).kind, VerdictKind::kAbort);
  history.last_report = kNow - absl::Minutes(5);
  EXPECT_EQ(policy.Evaluate(history, kNow).kind, VerdictKind::kContinue);
  history.last_report = kNow - absl::Minutes(10);
  const Verdict v = policy.Evaluate(history, kNow);
  ASSERT_EQ(v.kind, VerdictKind::kAbort);
  EXPECT_TRUE(v.censored);
  EXPECT_THAT(v.reason, HasSubstr("no report for 10 min"));
  // The coordinator was away for an hour and has been listening for two minutes.
  history.listening_since = kNow - absl::Minutes(2);
  EXPECT_EQ(policy.Evaluate(history, kNow).kind, VerdictKind::kContinue);
}

TEST(Policies, FollowTheExperimentFile) {
  const auto rules = [](const AbortSpec& spec) {
    std::vector<std::string> names;
    for (const auto& policy : MakeAbortPolicies(spec)) names.push_back(policy->rule());
    return names;
  };
  EXPECT_THAT(rules({}),
              testing::ElementsAre("non_finite", "below_random", "no_convergence", "stalled"));
  AbortSpec off;
  off.no_convergence.reset();
  off.below_random.reset();
  off.stalled.reset();
  off.non_finite = false;
  EXPECT_TRUE(rules(off).empty());
}

TEST(Policies, FirstAbortStandsAndLooksAreKept) {
  RunHistory history = CurveHistory(1000, [](int64_t s) { return 2 + 0.001 * std::sin(1.0 * s); });
  history.started_at = history.last_report = kNow;
  const auto policies = MakeAbortPolicies({});
  std::vector<Verdict> looks;
  const std::optional<Verdict> abort =
      FirstAbort(WatchRun(policies, history), history, kNow, &looks);
  ASSERT_TRUE(abort.has_value());
  EXPECT_EQ(abort->rule, "no_convergence");
  ASSERT_EQ(looks.size(), 3u);
  EXPECT_EQ(looks[1].kind, VerdictKind::kUndecided);  // no counts were reported
  history.training_loss = std::nan("");
  EXPECT_EQ(FirstAbort(WatchRun(policies, history), history, kNow)->rule, "non_finite");
  EXPECT_FALSE(FirstAbort({}, history, kNow).has_value());
}

}  // namespace
}  // namespace scm::policy
