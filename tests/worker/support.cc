#include "tests/worker/support.h"

#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::worker {
namespace {

// Every test works in directories of its own. Something that appears in the current one was written
// to a path that went wrong: to a string that is gone, for one.
class NoStrayFiles : public testing::Environment {
 public:
  void SetUp() override { ASSERT_EQ(chdir(directory_.path().c_str()), 0); }
  void TearDown() override { EXPECT_THAT(*ListDirectory(directory_.path()), testing::IsEmpty()); }

 private:
  fake::TempDir directory_;
};

const testing::Environment* const no_stray_files =
    testing::AddGlobalTestEnvironment(new NoStrayFiles);

}  // namespace

bool WaitUntil(const std::function<bool()>& done, const char* what) {
  const absl::Duration hang = RealClock().Steady() + absl::Minutes(2);
  while (!done()) {
    if (RealClock().Steady() > hang) {
      ADD_FAILURE() << "hangs while waiting for: " << what;
      return false;
    }
    const timespec pause{0, 5'000'000};
    nanosleep(&pause, nullptr);
  }
  return true;
}

Json FakeSpec(const Json& script, int64_t steps, int64_t save_steps, int64_t seed) {
  return {{"protocol", 1},
          {"experiment", {{"id", "e-1"}, {"name", "test"}}},
          {"task", {{"id", "k-1"}, {"kind", "train"}}},
          {"run", {{"id", "r-1"}, {"trial", "t-1"}, {"seed", seed}}},
          {"attempt", 1},
          {"parameters",
           {{"training", {{"learning_rate", 2e-4}}}, {"trainer", {{"parameters", script}}}}},
          {"max_steps", steps},
          {"stop_at_step", steps},
          {"save_steps", save_steps},
          {"eval_steps", 5},
          {"resume_from", nullptr},
          {"inputs", Json::array()},
          {"resources", {{"cpus", 1}, {"gpus", Json::array()}}}};
}

std::string Binary(const std::string& name) { return std::string(SCM_BIN_DIR) + "/" + name; }

void WriteText(const std::string& path, const std::string& text) {
  ASSERT_TRUE(WriteFileAtomically(path, text).ok()) << path;
}

std::string ReadText(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.value_or("");
}

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace scm::worker
