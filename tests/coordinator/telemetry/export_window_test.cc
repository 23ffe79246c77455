#include "coordinator/telemetry/export_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/coordinator/telemetry/snapshots.h"

namespace scm::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Ids(const ExportWindow::Selection& selection) {
  std::vector<std::string> ids;
  for (const Run* run : selection.runs) ids.push_back(run->id.str());
  return ids;
}

TEST(ExportWindow, AnEndedRunStaysTenMinutesHoweverOftenItIsScraped) {
  StateMaker state;
  state.AddRun(State::kSucceeded, Noon());
  const auto snapshot = state.Published();
  ExportWindow window(Noon());
  for (int minute = 0; minute <= 10; ++minute) {
    EXPECT_THAT(Ids(window.Select(*snapshot, Noon() + absl::Minutes(minute))), ElementsAre("r-1"))
        << minute;
  }
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon() + absl::Seconds(601))), IsEmpty());
}

TEST(ExportWindow, AnEndedRunStaysForTwoScrapesHoweverLateTheyCome) {
  StateMaker state;
  state.AddRun(State::kSucceeded, Noon());
  const auto snapshot = state.Published();
  ExportWindow window(Noon());
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon() + absl::Hours(2))), ElementsAre("r-1"));
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon() + absl::Hours(3))), ElementsAre("r-1"));
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon() + absl::Hours(4))), IsEmpty());
}

TEST(ExportWindow, ScrapesWhileItRanDoNotCount) {
  StateMaker state;
  const RunId id = state.AddRun(State::kRunning);
  ExportWindow window(Noon());
  for (int i = 0; i < 5; ++i) window.Select(*state.Published(), Noon());
  state.MutableTask(id).state = State::kSucceeded;
  state.MutableTask(id).ended_at = Noon();
  const auto ended = state.Published();
  EXPECT_THAT(Ids(window.Select(*ended, Noon() + absl::Hours(1))), ElementsAre("r-1"));
  EXPECT_THAT(Ids(window.Select(*ended, Noon() + absl::Hours(1))), ElementsAre("r-1"));
  EXPECT_THAT(Ids(window.Select(*ended, Noon() + absl::Hours(1))), IsEmpty());
}

TEST(ExportWindow, ARestartDoesNotBringBackRunsOfThePast) {
  StateMaker state;
  state.AddRun(State::kSucceeded, Noon() - absl::Hours(3));
  state.AddRun(State::kSucceeded, Noon() - absl::Minutes(30));  // perhaps not scraped before
  const auto snapshot = state.Published();
  ExportWindow window(Noon());
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon())), ElementsAre("r-2"));
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon())), ElementsAre("r-2"));
  EXPECT_THAT(Ids(window.Select(*snapshot, Noon())), IsEmpty());
}

TEST(ExportWindow, AtMostTwoHundredRunsTheActiveFirstThenTheLatestEndedThenWaitingOnes) {
  StateMaker state;
  for (int i = 0; i < 100; ++i) state.AddRun(State::kPending);  // r-1…100
  for (int i = 0; i < 150; ++i) state.AddRun(State::kSucceeded, Noon() + absl::Seconds(i));
  for (int i = 0; i < 120; ++i) state.AddRun(State::kRunning);  // r-251…370
  ExportWindow window(Noon());
  const auto snapshot = state.Published();
  const ExportWindow::Selection selection = window.Select(*snapshot, Noon() + absl::Minutes(3));
  ASSERT_EQ(selection.runs.size(), 200u);
  EXPECT_EQ(selection.dropped_runs, 170u);
  EXPECT_EQ(selection.runs.front()->id.str(), "r-171");  // 80 of the 150 that ended, the latest
  EXPECT_EQ(selection.runs.back()->id.str(), "r-370");
  EXPECT_TRUE(std::is_sorted(selection.runs.begin(), selection.runs.end(),
                             [](const auto* a, const auto* b) { return a->id < b->id; }));
}

TEST(ExportWindow, ExactlyTwoHundredAreNotCut) {
  StateMaker state;
  for (int i = 0; i < 200; ++i) state.AddRun(State::kPending);
  ExportWindow window(Noon());
  const auto snapshot = state.Published();
  const ExportWindow::Selection selection = window.Select(*snapshot, Noon());
  EXPECT_EQ(selection.runs.size(), 200u);
  EXPECT_EQ(selection.dropped_runs, 0u);
}

TEST(ExportWindow, ExperimentsEndLikeRuns) {
  StateMaker state;
  Experiment& ended = state.MutableExperiment(ExperimentId("e-1"));
  ended.state = State::kSucceeded;
  ended.ended_at = Noon();
  state.AddExperiment("still running");
  const auto snapshot = state.Published();
  ExportWindow window(Noon());
  EXPECT_EQ(window.Select(*snapshot, Noon()).experiments.size(), 2u);
  EXPECT_EQ(window.Select(*snapshot, Noon() + absl::Minutes(10)).experiments.size(), 2u);
  const auto later = window.Select(*snapshot, Noon() + absl::Minutes(11)).experiments;
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later.front()->name, "still running");
  EXPECT_EQ(window.Select(*snapshot, Noon() + absl::Hours(24)).remembered.size(), 2u);
}

}  // namespace
}  // namespace scm::telemetry
