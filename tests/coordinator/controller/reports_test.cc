// Reports that are not as they should be: named, bounded, and nobody else's business.
#include <gmock/gmock.h>

#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Reports : public testing::Test {
 protected:
  Reports() {
    worker_ = h_.AddWorker(4);
    h_.Submit(TestFile("replicate"));
    task_ = h_.Tasks(StageKind::kReplicate).at(0);
    h_.Started(task_);
  }
  void Raw(const std::string& spool) {
    const Task& task = *h_.TaskAt(task_);
    ASSERT_TRUE(h_.Give(ReportsInput{task.attempt->ranks[0].worker, Harness::Ref(task),
                                     task.report_offset, core::ReadReportLines(spool)})
                    .ok());
  }
  std::vector<std::string> Events(const std::string& kind) {
    std::vector<std::string> texts;
    const std::vector<store::EventRow> events = h_.store.ReadEvents("", 0, 100000).value();
    for (const store::EventRow& event : events) {
      if (event.kind == kind) texts.push_back(event.text);
    }
    return texts;
  }

  Harness h_;
  WorkerId worker_;
  TaskId task_;
};

TEST_F(Reports, BytesThatAreNoTextAreNamedAndTheRunGoesOn) {
  Raw("x" + std::string(300, '\xf1') + "\n");
  EXPECT_THAT(Events("bad_report"), testing::ElementsAre(AllOf(HasSubstr("not a JSON object"),
                                                               HasSubstr("the line: x\uFFFD"))));
  h_.Restart();
  EXPECT_EQ(h_.StateOf(task_), "RUNNING");
  h_.Return(worker_, {Harness::Ref(*h_.TaskAt(task_))});
  h_.Validation(task_, 10, 0.5);
  EXPECT_THAT(h_.RunOf(task_)->validations, SizeIs(1));
}

TEST_F(Reports, TheFirstBadLinesAreNamedThenEveryTenthPower) {
  const std::string lines = "{\"type\":\"progress\",\"step\":-1}\n{}\n";
  for (int i = 0; i < 1500; ++i) Raw(lines);
  const std::vector<std::string> named = Events("bad_report");
  ASSERT_THAT(named, SizeIs(6));  // 1, 2, 3, 10, 100, 1000
  EXPECT_THAT(named[0], Not(HasSubstr("so far")));
  EXPECT_THAT(named[5], HasSubstr("so far 1000 lines"));
  // Many in one piece count as many.
  Raw(std::string(20000, '\n'));
  EXPECT_THAT(Events("bad_report").back(), HasSubstr("so far 21500 lines"));
  EXPECT_EQ(h_.TaskAt(task_)->report_offset, 1500 * static_cast<int64_t>(lines.size()) + 20000);
}

TEST_F(Reports, AStepBeyondTheRunIsRefusedAndSaysWhatWasExpected) {
  ASSERT_EQ(h_.RunOf(task_)->max_steps, 40);
  for (const char* type : {"progress", "validation"}) {
    Raw(absl::StrCat("{\"type\":\"", type, "\",\"step\":41,\"metrics\":{\"x\":1}}\n"));
    EXPECT_THAT(Events("bad_report").back(), HasSubstr("\"step\" is 41: this run has 40 steps"));
  }
  EXPECT_EQ(h_.RunOf(task_)->step, 0);
  EXPECT_THAT(h_.RunOf(task_)->validations, IsEmpty());
  h_.Progress(task_, 40);
  EXPECT_EQ(h_.RunOf(task_)->step, 40);
}

TEST_F(Reports, MetricsThatAreNotKeptAreNamedOnce) {
  std::string metrics;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&metrics, i == 0 ? "" : ",", "\"m", i, "\":1");
  for (int step = 1; step < 5; ++step) {
    Raw(absl::StrCat("{\"type\":\"progress\",\"step\":", step, ",\"metrics\":{", metrics, "}}\n"));
  }
  const std::vector<std::string> named = Events("metrics_left_out");
  ASSERT_THAT(named, SizeIs(1));
  EXPECT_THAT(named[0], AllOf(HasSubstr("at step 1 "), HasSubstr("\"m64\" (beyond the first 64"),
                              HasSubstr("and 26 more"), Not(HasSubstr("m63"))));
  EXPECT_THAT(h_.RunOf(task_)->latest, SizeIs(64));
  EXPECT_THAT(Events("bad_report"), IsEmpty());
}

TEST_F(Reports, ALastWordThatIsLongerThanItsRoomStillCounts) {
  Raw(absl::StrCat(R"({"type":"done","summary":{"history":")", std::string(100000, 'x'),
                   R"(","stopped_early":true}})", "\n"));
  h_.Exit(task_, 0);
  EXPECT_EQ(h_.StateOf(task_), "SUCCEEDED");
  EXPECT_THAT(h_.TaskAt(task_)->reason, HasSubstr("stopped early"));
  EXPECT_THAT(Events("summary_cut"), SizeIs(1));
  EXPECT_LT(DumpJson(h_.TaskAt(task_)->summary).size(), 200u);
}

TEST_F(Reports, AFailureWithALoneSurrogateKeepsKindAndMessage) {
  Raw("{\"type\":\"failed\",\"kind\":\"bad_input\",\"message\":\"no \\ud83d file\"}\n");
  h_.Exit(task_, 1);
  EXPECT_EQ(h_.StateOf(task_), "FAILED");
  EXPECT_THAT(h_.TaskAt(task_)->reason, HasSubstr("bad_input: no \uFFFD file"));
}

TEST_F(Reports, LinesThatCameBeforeAreNotCountedTwiceWhereverTheyAreCut) {
  const std::string spool =
      "bad\nbad\n{\"type\":\"progress\",\"step\":1,\"metrics\":{\"train_loss\":1}}\n{}\n{}\n";
  const Task before = *h_.TaskAt(task_);
  Raw(spool);
  const int64_t all = h_.TaskAt(task_)->report_offset;
  EXPECT_EQ(all, static_cast<int64_t>(spool.size()));
  const size_t events = Events("bad_report").size();
  // Sent again from the start, with more behind: only what is new counts.
  const std::string more = spool + "{\"type\":\"progress\",\"step\":2}\n";
  ASSERT_TRUE(
      h_.Give(ReportsInput{worker_, Harness::Ref(before), 0, core::ReadReportLines(more)}).ok());
  EXPECT_EQ(h_.RunOf(task_)->step, 2);
  EXPECT_EQ(Events("bad_report").size(), events);
  // A gap, and an offset that nobody can mean.
  for (const int64_t offset : {all + 1000, int64_t{-5}, std::numeric_limits<int64_t>::min()}) {
    ASSERT_TRUE(h_.Give(ReportsInput{worker_, Harness::Ref(before), offset,
                                     core::ReadReportLines("{\"type\":\"done\"}\n")})
                    .ok());
  }
  EXPECT_EQ(h_.TaskAt(task_)->report_offset, static_cast<int64_t>(more.size()));
  EXPECT_TRUE(h_.TaskAt(task_)->ending.is_null());
}

}  // namespace
}  // namespace scm::controller
