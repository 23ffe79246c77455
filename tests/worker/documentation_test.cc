// The trainer printed in docs/trainer-protocol.md works as it stands there.
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/harness.h"

namespace scm::worker {
namespace {

class DocumentedTrainerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(std::system("python3 -c 'pass'"), 0) << "python3 is needed";
    const std::string page = ReadText(SCM_SOURCE_DIR "/docs/trainer-protocol.md");
    const std::string fence = "```python\n";
    const size_t begin = page.find(fence) + fence.size();
    ASSERT_NE(page.find(fence), page.npos);
    script_ = scripts_ / "train.py";
    WriteText(script_, page.substr(begin, page.find("```", begin) - begin));
    h.context().rules.search_path = std::getenv("PATH");
    h.context().rules.allowed.push_back(script_);
    spec_ = FakeSpec(nullptr, 12);
    spec_["parameters"]["training"]["learning_rate"] = 0.1;
  }
  LeaseRef Grant(const Json& spec, int64_t attempt = 1) {
    return h.Grant(spec, attempt, {"python3", script_});
  }

  fake::TempDir scripts_;
  Harness h;
  std::string script_;
  Json spec_;
};

TEST_F(DocumentedTrainerTest, TrainsAndResumesExactly) {
  const LeaseRef whole = Grant(spec_);
  ASSERT_TRUE(h.StepUntilEnded(whole));
  ASSERT_EQ(h.End(whole).exit_code, 0) << h.coordinator.lease(whole).log;
  EXPECT_THAT(h.coordinator.lease(whole).reports, testing::HasSubstr("\"done\""));
  const std::string last = h.coordinator.blobs["r-1/12"].files["state.json"];
  h.coordinator.blobs.erase("r-1/12");
  spec_["resume_from"] = {{"step", 5}, {"dir", "scm:r-1/5"}};
  const LeaseRef resumed = Grant(spec_, 2);
  ASSERT_TRUE(h.StepUntilEnded(resumed));
  ASSERT_EQ(h.End(resumed).exit_code, 0) << h.coordinator.lease(resumed).log;
  EXPECT_EQ(h.coordinator.blobs["r-1/12"].files["state.json"], last);
  EXPECT_THAT(h.coordinator.violations, testing::IsEmpty());
}

TEST_F(DocumentedTrainerTest, ObeysCommands) {
  spec_["stop_at_step"] = 100000000;
  spec_["save_steps"] = 100000000;
  spec_["eval_steps"] = 100000000;
  const LeaseRef lease = Grant(spec_);
  h.StepUntil([&] { return Contains(h.coordinator.lease(lease).reports, "\"step\": 3,"); },
              "step 3");
  h.coordinator.SendCommand(
      lease, R"({"cmd":"stop","reason":"pause","checkpoint":true,"grace_seconds":30})");
  ASSERT_TRUE(h.StepUntilEnded(lease));
  EXPECT_EQ(h.End(lease).exit_code, 0) << h.coordinator.lease(lease).log;
  EXPECT_EQ(h.coordinator.blobs.size(), 1u);
}

}  // namespace
}  // namespace scm::worker
