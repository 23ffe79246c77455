#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scmctl/render/render.h"
#include "tests/scmctl/answers.h"

namespace scm::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json Reason(const std::string& subject, const Json& certificate, const std::string& text = "") {
  return {{"at", nullptr},  {"subject", subject}, {"rule", nullptr},
          {"verdict", "x"}, {"text", text},       {"certificate", certificate}};
}

const Json kCertificate = {
    {"id", "c-19"},
    {"rule", "no_convergence"},
    {"version", 1},
    {"step", 100},
    {"seen",
     "validation loss 12.8 before training, 24.8 after it, still not "
     "falling, over so many validations that the line is long"},
    {"threshold", "best reduction −0.31 < 0.05"},
    {"confidence", "nominal rate of a false abort here 1 %"},
    {"reason", "the sweep ranks it last"},
    {"saved", {{"steps", 900}, {"seconds", 1860}, {"money", 1.27}, {"currency", "USD"}}},
    {"checkpoint", {{"step", 100}, {"sha256", "9f2c0011aabbccdd"}}}};

TEST(WhyTest, ACertificateSaysWhatWasSeenAndHowToRecomputeIt) {
  const std::string text =
      RenderWhy({{"id", "r-7"}, {"reasons", {Reason("r-7", kCertificate)}}}, Terminal{});
  EXPECT_THAT(text, HasSubstr("r-7 was ABORTED at step 100 by rule no_convergence, version 1."));
  EXPECT_THAT(text, HasSubstr("  Saved           900 steps, 31 min, $1.27\n"));
  EXPECT_THAT(text, HasSubstr("checkpoint step 100 sha256 9f2c0011…"));
  EXPECT_THAT(text, HasSubstr("scmctl why c-19 --verify"));
}

TEST(WhyTest, LongTextsAreWrappedBesideTheirLabel) {
  const std::string text = RenderWhy({{"id", "r-7"}, {"reasons", {Reason("r-7", kCertificate)}}},
                                     Terminal{true, false, 80, 24});
  EXPECT_LE(WidestLine(text), 80) << text;
  EXPECT_THAT(text, HasSubstr("\n                  "));
}

TEST(WhyTest, WhatIsNotKnownIsLeftOut) {
  Json certificate = kCertificate;
  certificate["step"] = nullptr;
  certificate["checkpoint"] = nullptr;
  certificate["saved"] = nullptr;
  const std::string text =
      RenderWhy({{"id", "e-1"}, {"reasons", {Reason("e-1", certificate)}}}, Terminal{});
  EXPECT_THAT(text, HasSubstr("e-1 was ABORTED by rule no_convergence"));
  EXPECT_THAT(text, Not(HasSubstr("Saved")));
  EXPECT_THAT(text, Not(HasSubstr("sha256")));
}

TEST(WhyTest, TasksGatesAndSilence) {
  Json gate = Reason("sweep", nullptr, "trial t-2 is best");
  gate["rule"] = "gate";
  gate["verdict"] = "passed";
  const std::string text = RenderWhy(
      {{"id", "e-1"}, {"reasons", {Reason("k-3", nullptr, "PENDING: needs 8 GPUs"), gate}}},
      Terminal{});
  EXPECT_EQ(text, "k-3: PENDING: needs 8 GPUs\nsweep: gate passed: trial t-2 is best\n");
  EXPECT_EQ(RenderWhy({{"id", "e-1"}, {"reasons", Json::array()}}, Terminal{}),
            "Nothing is recorded about e-1.\n");
}

}  // namespace
}  // namespace scm::ctl
