#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scmctl/render/live_screen.h"
#include "scmctl/render/render.h"
#include "tests/scmctl/answers.h"

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Terminal Screen(int width, int height = 24) { return {true, false, width, height}; }

TEST(LiveTest, ShowsProgressMoneyAndWhenItEnds) {
  const std::string text = RenderLive(StatusAnswer(5, "RUNNING"), Screen(200));
  EXPECT_THAT(text, HasSubstr("scm-legal-1b (e-3)   replicate   5/5 running   $38.20 of $200.00"));
  EXPECT_THAT(text, HasSubstr("ETA 4 h 10 (P90 5 h 00)"));
  EXPECT_THAT(text, HasSubstr("1340  ██████▊"));
}

TEST(LiveTest, NoEtaIsInventedAndAPastOneIsNotNegative) {
  Json status = StatusAnswer(1, "RUNNING");
  status["experiment"]["eta"] = nullptr;
  EXPECT_THAT(RenderLive(status, Screen(200)), Not(HasSubstr("ETA")));
  status["experiment"]["eta"] = "2026-11-22T11:59:00.000Z";
  status["experiment"]["eta_p90"] = nullptr;
  EXPECT_THAT(RenderLive(status, Screen(200)), HasSubstr("ETA 0 s"));
}

TEST(LiveTest, FitsEveryTerminal) {
  Json status = StatusAnswer(30, "RUNNING");
  for (int i = 0; i < 9; ++i) {
    status["runs"][i]["state"] = "ABORTED";
    status["runs"][i]["rule"] = "no_convergence";
    status["runs"][i]["reason"] = std::string(300, 'x');
  }
  status["runs"][10]["state"] = "PENDING";
  status["runs"][10]["step"] = 0;
  status["runs"][10]["reason"] = "needs 1 GPU: all of 2 workers are busy with something else";
  status["tasks"].push_back({{"id", "k-9"},
                             {"kind", "evaluate"},
                             {"run", nullptr},
                             {"scores", "seed 11"},
                             {"state", "RUNNING"},
                             {"reason", std::string(200, 'y')},
                             {"progress", 3},
                             {"progress_total", 11}});
  for (const int width : {60, 80, 100, 200}) {
    for (const int height : {20, 24, 50}) {
      const std::string text = RenderLive(status, Screen(width, height));
      EXPECT_LE(WidestLine(text), width) << text;
      EXPECT_LT(std::count(text.begin(), text.end(), '\n'), height) << text;
    }
  }
  // What moves stays in sight, and what is left out is counted.
  const std::string small = RenderLive(status, Screen(80, 24));
  EXPECT_THAT(small, HasSubstr("more: scmctl runs e-3"));
  EXPECT_THAT(small, HasSubstr("RUNNING"));
  EXPECT_THAT(small, HasSubstr("scmctl why r-29"));
  EXPECT_THAT(small, HasSubstr("evaluate seed 11  k-9  RUNNING"));
}

TEST(LiveTest, AWaitingRunSaysWhatItWaitsFor) {
  Json status = StatusAnswer(1, "PENDING");
  status["runs"][0]["step"] = 0;
  status["runs"][0]["worker"] = nullptr;
  status["runs"][0]["reason"] = "needs 1 GPU: both busy";
  EXPECT_THAT(RenderLive(status, Screen(200)), HasSubstr("needs 1 GPU: both busy"));
}

TEST(LiveTest, ChanceStandsBesideAnAccuracyThatHasNotLeftIt) {
  Json status = StatusAnswer(2, "RUNNING");
  status["runs"][1]["latest"]["validation_accuracy"] = 0.3;
  const std::string text = RenderLive(status, Screen(200));
  EXPECT_THAT(text, HasSubstr("0.30 ▲0.25"));
  EXPECT_THAT(text, Not(HasSubstr("0.71 ▲")));
}

TEST(LiveTest, RedrawingGoesBackOverExactlyWhatWasDrawn) {
  LiveScreen screen;
  EXPECT_EQ(screen.Redraw("a\nb\n"), "a\x1b[K\nb\x1b[K\n\x1b[J");
  EXPECT_EQ(screen.Redraw("c\n"), "\x1b[2A\rc\x1b[K\n\x1b[J");
  EXPECT_EQ(screen.Redraw("d"), "\x1b[1A\rd\x1b[K\n\x1b[J");
}

TEST(ChangesTest, APipeGetsALineForEveryChangeAndNoEscape) {
  Json before = StatusAnswer(2, "RUNNING"), now = before;
  EXPECT_EQ(RenderChanges(before, now), "");
  now["runs"][0]["step"] = 1341;  // less than a tenth further
  EXPECT_EQ(RenderChanges(before, now), "");
  now["runs"][1]["state"] = "ABORTED";
  now["runs"][1]["rule"] = "non_finite";
  now["runs"][1]["reason"] = "the loss is NaN";
  EXPECT_EQ(RenderChanges(before, now),
            "2026-11-22T12:00:00Z replicate r-22 seed 12 ABORTED step 1340/2000 val.loss 0.84 "
            "accuracy 0.71: non_finite: the loss is NaN · scmctl why r-22\n");
  const std::string first = RenderChanges(Json(), before);
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 2);
  EXPECT_EQ(first.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace scm::ctl
