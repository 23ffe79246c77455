#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scmctl/render/render.h"
#include "tests/scmctl/answers.h"

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const Terminal kPipe{};

Json Ended(const Json& decision) {
  Json status = StatusAnswer(5, "SUCCEEDED");
  status["experiment"]["state"] = "SUCCEEDED";
  status["experiment"]["decision"] = decision;
  status["experiment"]["headline"] =
      "Accuracy on legal_reasoning is 0.64, 95 % interval 0.57–0.71, over 5 of 5 seeds. Against "
      "the "
      "base model it gains +17 points (10–24, p < .001).";
  return status;
}

Json Aborts() {
  const auto reason = [](double money, double seconds) {
    return Json{{"certificate",
                 {{"saved", {{"money", money}, {"seconds", seconds}, {"currency", "USD"}}}}}};
  };
  return {{"reasons", {{{"certificate", nullptr}}, reason(1.27, 1860), reason(8.53, 16140)}}};
}

TEST(OutcomeTest, SaysTheDecisionItsSentencesAndWhatWasSaved) {
  Json status = Ended("no_go");
  for (int i = 0; i < 2; ++i) {
    Json trial = RunAnswer("r-" + std::to_string(i + 1), 1, "ABORTED", 100);
    trial["stage"] = "sweep";
    status["runs"].push_back(trial);
  }
  const std::string text = RenderOutcome(status, Aborts(), kPipe);
  EXPECT_THAT(text, StartsWith("scm-legal-1b finished: NO-GO.\n"));
  EXPECT_THAT(text, HasSubstr("95 % interval 0.57–0.71"));
  EXPECT_THAT(
      text,
      HasSubstr("5 seeds finished · 2 trials aborted, $9.80 and 5 h 00 saved · $38.20 of $200.00 "
                "spent"));
  EXPECT_LE(WidestLine(text), 100);
  EXPECT_LE(WidestLine(RenderOutcome(status, Aborts(), {true, false, 60, 24})), 60);
}

TEST(OutcomeTest, FailedSeedsAreCountedAndNothingIsInvented) {
  Json status = Ended("go");
  status["runs"][3]["state"] = "FAILED";
  const std::string text = RenderOutcome(status, Json(), kPipe);
  EXPECT_THAT(text, StartsWith("scm-legal-1b finished: GO.\n"));
  EXPECT_THAT(text, HasSubstr("4 of 5 seeds finished, 1 failed"));
  EXPECT_THAT(text, Not(HasSubstr("aborted")));
  EXPECT_THAT(text, Not(HasSubstr("saved")));
}

TEST(OutcomeTest, AnEndWithoutADecisionIsItsStateAndReason) {
  Json status = StatusAnswer(1, "CANCELLED");
  status["experiment"]["state"] = "CANCELLED";
  status["experiment"]["reason"] = "cancelled by the user";
  status["experiment"]["cost"] = nullptr;
  const std::string text = RenderOutcome(status, Json(), kPipe);
  EXPECT_THAT(text, StartsWith("scm-legal-1b ended: CANCELLED.\n  cancelled by the user\n"));
  EXPECT_THAT(text, Not(HasSubstr("spent")));
}

TEST(OutcomeTest, ASeedTrainedAgainWithTheFallbackModelCountsOnce) {
  Json status = Ended("go");
  for (Json& run : status["runs"]) run["state"] = "FAILED";
  for (int i = 0; i < 5; ++i) {
    status["runs"].push_back(RunAnswer("r-" + std::to_string(31 + i), 11 + i, "SUCCEEDED", 2000));
  }
  EXPECT_THAT(RenderOutcome(status, Json(), kPipe), HasSubstr("  5 seeds finished · "));
}

TEST(OutcomeTest, NoDecisionIsNoClaimAboutWhatWasAsked) {
  EXPECT_THAT(RenderOutcome(Ended(nullptr), Json(), kPipe),
              StartsWith("scm-legal-1b finished. No decision was made.\n"));
}

TEST(ArtifactsTest, AStatusNamesThemWithTheirSizes) {
  Json status = StatusAnswer(1, "SUCCEEDED");
  EXPECT_EQ(ArtifactsText(status, 80), "");
  const auto artifact = [](const char* id, const char* name, int64_t bytes) {
    return Json{{"id", id}, {"name", name}, {"bytes", bytes}};
  };
  status["artifacts"] = {artifact("k-1/data_check", "data_check", 1200),
                         artifact("k-7/evaluation", "evaluation", 1000000),
                         artifact("k-8/evaluation", "evaluation", 1000000),
                         artifact("k-9/merged", "merged", 270000000),
                         artifact("k-10/report_data-1", "report_data-1", 5000)};
  EXPECT_EQ(ArtifactsText(status, 200),
            "\nArtifacts: k-1/data_check 1.2 kB · 2 × evaluation 2.0 MB · k-9/merged 270.0 MB. "
            "scmctl artifacts ls e-3\n");
  EXPECT_LE(WidestLine(ArtifactsText(status, 40)), 40);
  EXPECT_THAT(RenderStatus(status, kPipe), HasSubstr("k-9/merged 270.0 MB"));
}

}  // namespace
}  // namespace scm::ctl
