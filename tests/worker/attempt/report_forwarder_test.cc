#include "worker/attempt/report_forwarder.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/attempt/log_forwarder.h"

namespace scm::worker {
namespace {

using StepKind = ReportForwarder::Step::Kind;

constexpr char kProgress[] = "{\"type\":\"progress\",\"step\":1}\n";
constexpr char kCheckpoint[] = "{\"type\":\"checkpoint\",\"step\":1,\"dir\":\"d\"}\n";

absl::string_view From(const std::string& spool, const ReportForwarder& forwarder) {
  return absl::string_view(spool).substr(static_cast<size_t>(forwarder.sent()));
}

TEST(ReportForwarderTest, SendsWholeLinesOnly) {
  ReportForwarder forwarder(0, "");
  EXPECT_EQ(forwarder.Next("").kind, StepKind::kNothing);
  EXPECT_EQ(forwarder.Next("{\"type\":\"progress\"").kind, StepKind::kNothing);
  const std::string spool = std::string(kProgress) + kProgress + "{\"half\":";
  const ReportForwarder::Step step = forwarder.Next(spool);
  EXPECT_EQ(step.kind, StepKind::kSend);
  EXPECT_EQ(step.offset, 0);
  EXPECT_EQ(step.size, static_cast<int64_t>(2 * sizeof kProgress - 2));
  EXPECT_EQ(forwarder.sent(), 0) << "asking is not sending";
  forwarder.OnSent(step);
  EXPECT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kNothing);
}

// Of several runs one has said its last word, and the process goes on.
TEST(ReportForwarderTest, TheLastWordOfOneOfSeveralRunsIsNotTheProcesss) {
  for (const bool packed : {false, true}) {
    for (const char* type : {"done", "failed", "stopped"}) {
      ReportForwarder forwarder(0, "", packed);
      const auto say = [&](const std::string& run) {
        forwarder.OnSent(forwarder.Next(absl::StrCat("{\"type\":\"", type, "\"", run, "}\n")));
      };
      say(",\"run\":\"r-1\"");
      EXPECT_EQ(forwarder.last_report(), packed ? "" : type);
      say("");
      EXPECT_EQ(forwarder.last_report(), type);
    }
  }
}

TEST(ReportForwarderTest, ALastWordIsKnownWhateverItsTextHolds) {
  for (const std::string& text : {std::string("\\ud83d"), std::string("caf\xe9"),
                                  std::string("\xed\xa0\xbd"), std::string("NaN")}) {
    for (const char* type : {"done", "failed", "stopped"}) {
      const std::string line =
          absl::StrCat("{\"type\":\"", type, "\",\"message\":\"", text, "\"}\n");
      ReportForwarder forwarder(0, "");
      forwarder.OnSent(forwarder.Next(line));
      EXPECT_EQ(forwarder.last_report(), type) << line;
    }
  }
  ReportForwarder escaped(0, "");
  escaped.OnSent(escaped.Next("{\"type\":\"\\u0064one\"}\n"));
  EXPECT_EQ(escaped.last_report(), "done");
}

TEST(ReportForwarderTest, HoldsBackWhatRefersToFiles) {
  const std::string spool = std::string(kProgress) + kCheckpoint + kProgress;
  ReportForwarder forwarder(0, "");
  ReportForwarder::Step step = forwarder.Next(spool);
  EXPECT_EQ(step.size, static_cast<int64_t>(sizeof kProgress - 1));
  forwarder.OnSent(step);

  // What a checkpoint rests on comes first: an upload that overtook the rows before it could be
  // resumed from although they are lost.
  ASSERT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kNothing);
  forwarder.OnAcknowledged(forwarder.sent());
  step = forwarder.Next(From(spool, forwarder));
  ASSERT_EQ(step.kind, StepKind::kUpload);
  EXPECT_EQ(StringAt(step.report, "dir"), "d");
  EXPECT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kNothing) << "asked once";
  forwarder.OnUploadFailed();
  EXPECT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kUpload) << "and again";
  forwarder.Rewind();  // a new session while it is under way
  forwarder.OnUploaded();

  step = forwarder.Next(From(spool, forwarder));
  EXPECT_EQ(step.kind, StepKind::kSend);
  EXPECT_EQ(step.offset + step.size, static_cast<int64_t>(spool.size())) << "all of it may go now";
}

TEST(ReportForwarderTest, KnowsTypesInEverySpelling) {
  for (const char* line : {
           "{\"type\":\"artifact\",\"name\":\"a\",\"path\":\"p\"}\n",
           "{ \"step\": 3, \"dir\": \"d\", \"type\" : \"checkpoint\" }\n",
           "{\"type\":\"\\u0063heckpoint\",\"step\":1,\"dir\":\"d\"}\n",
       }) {
    ReportForwarder forwarder(0, "");
    EXPECT_EQ(forwarder.Next(line).kind, StepKind::kUpload) << line;
  }
  for (const char* line : {
           "{\"type\":\"note\",\"text\":\"the checkpoint was written\"}\n",
           "checkpoint: this is no JSON\n",
           "[\"checkpoint\"]\n",
           "{\"type\":\"progress\",\"metrics\":{\"type\":\"checkpoint\"}}\n",
           "\n",
       }) {
    ReportForwarder forwarder(0, "");
    EXPECT_EQ(forwarder.Next(line).kind, StepKind::kSend) << line;
  }
}

TEST(ReportForwarderTest, RemembersTheTerminalReport) {
  for (const char* type : {"done", "stopped", "failed"}) {
    const std::string spool = std::string(kProgress) + "{\"type\":\"" + type + "\"}\n";
    ReportForwarder forwarder(0, "");
    const ReportForwarder::Step step = forwarder.Next(spool);
    EXPECT_EQ(forwarder.last_report(), "");
    forwarder.OnSent(step);
    EXPECT_EQ(forwarder.last_report(), type);
    // After a restart the line is not read again.
    EXPECT_EQ(ReportForwarder(step.size, type).last_report(), type);
  }
}

TEST(ReportForwarderTest, BoundsWhatIsUnderWay) {
  const std::string line = "{\"x\":\"" + std::string(1000, 'x') + "\"}\n";
  std::string spool;
  while (spool.size() < 3 * ReportForwarder::kMaxUnacknowledged) spool += line;
  ReportForwarder forwarder(0, "");
  int64_t batches = 0;
  for (ReportForwarder::Step step = forwarder.Next(spool); step.kind == StepKind::kSend;
       step = forwarder.Next(From(spool, forwarder))) {
    EXPECT_LE(step.size, ReportForwarder::kMaxBatch);
    forwarder.OnSent(step);
    ++batches;
  }
  EXPECT_GT(batches, 3);
  EXPECT_LE(forwarder.sent(), ReportForwarder::kMaxUnacknowledged + ReportForwarder::kMaxBatch);
  const int64_t stuck_at = forwarder.sent();
  forwarder.OnAcknowledged(stuck_at);
  EXPECT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kSend);
}

TEST(ReportForwarderTest, RefusesEndlessLines) {
  const std::string longest(ReportForwarder::kMaxLine, 'x');
  ReportForwarder forwarder(0, "");
  EXPECT_EQ(forwarder.Next(longest + "\n").kind, StepKind::kSend);
  EXPECT_EQ(forwarder.Next(longest + "x").kind, StepKind::kViolation) << "even before its end";
  const std::string spool = std::string(kProgress) + longest + "x\n";
  const ReportForwarder::Step before = forwarder.Next(spool);
  EXPECT_EQ(before.kind, StepKind::kSend);
  EXPECT_EQ(before.size, static_cast<int64_t>(sizeof kProgress - 1));
  forwarder.OnSent(before);
  EXPECT_EQ(forwarder.Next(From(spool, forwarder)).kind, StepKind::kViolation);
}

TEST(ReportForwarderTest, AcknowledgementsOnlyGrow) {
  ReportForwarder forwarder(100, "");
  forwarder.OnAcknowledged(50);
  EXPECT_EQ(forwarder.acknowledged(), 100);
  forwarder.OnAcknowledged(200);  // the coordinator knows more than acked.json did
  EXPECT_EQ(forwarder.acknowledged(), 200);
  EXPECT_EQ(forwarder.sent(), 200);
  forwarder.Rewind();
  EXPECT_EQ(forwarder.sent(), 200);
}

// Whatever the network does, the coordinator ends up with exactly the spool, and every checkpoint
// was uploaded after the lines before it were received and before its own line was sent.
TEST(ReportForwarderTest, RandomWalksDeliverTheSpool) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Philox rng(seed, "forwarder walk");
    std::string spool, received;
    int lines = 0, uploads = 0;
    size_t upload_begin = 0;  // of the line whose files are under way
    ReportForwarder forwarder(0, "");
    for (int i = 0; i < 100000 && (lines < 60 || received != spool); ++i) {
      switch (rng.Below(6)) {
        case 0:
          if (lines < 60) spool += rng.Below(4) == 0 ? kCheckpoint : kProgress;
          ++lines;
          break;
        case 1:
          forwarder.Rewind();
          break;
        case 2:
          forwarder.OnAcknowledged(static_cast<int64_t>(received.size()));
          break;
        case 3:
          if (forwarder.uploading() && rng.Below(2) == 0) {
            ASSERT_EQ(received.substr(0, upload_begin), spool.substr(0, upload_begin))
                << "a checkpoint was stored before the rows that led to it";
            forwarder.OnUploaded();
            ++uploads;
          } else if (forwarder.uploading()) {
            forwarder.OnUploadFailed();
          }
          break;
        default: {
          const ReportForwarder::Step step = forwarder.Next(From(spool, forwarder));
          if (step.kind == StepKind::kUpload) upload_begin = static_cast<size_t>(step.offset);
          if (step.kind != StepKind::kSend) break;
          forwarder.OnSent(step);
          if (rng.Below(4) == 0) {  // lost with its session
            forwarder.Rewind();
            break;
          }
          ASSERT_LE(step.offset, static_cast<int64_t>(received.size())) << "a gap";
          const std::string batch = spool.substr(step.offset, step.size);
          if (step.offset + step.size > static_cast<int64_t>(received.size())) {
            received += batch.substr(received.size() - step.offset);
          }
          int known = 0;
          for (size_t at = 0; (at = received.find("checkpoint", at)) != received.npos; ++at)
            ++known;
          ASSERT_LE(known, uploads) << "a checkpoint overtook its upload";
        }
      }
    }
    EXPECT_EQ(received, spool);
  }
}

TEST(LogForwarderTest, SendsWithinItsWindow) {
  LogForwarder log(10);
  EXPECT_EQ(log.sent(), 10);
  int64_t sent = 0;
  while (log.Allowance() > 0) {
    sent += log.Allowance();
    log.OnSent(log.Allowance());
  }
  EXPECT_EQ(sent, LogForwarder::kMaxUnacknowledged);
  log.OnAcknowledged(100);
  EXPECT_EQ(log.Allowance(), 90);
  log.Rewind();
  EXPECT_EQ(log.sent(), 100);
}

}  // namespace
}  // namespace scm::worker
