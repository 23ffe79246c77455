#include "coordinator/core/step_log.h"

#include <cstdio>
#include <map>

#include "common/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::core {
namespace {

struct Entry {
  int64_t step = 0;
  int value = 0;
};

std::vector<int64_t> Steps(const StepLog<Entry>& log) {
  std::vector<int64_t> steps;
  for (const Entry& entry : log) steps.push_back(entry.step);
  return steps;
}

TEST(StepLog, KeepsStepsInOrderAndTheFirstOfEach) {
  StepLog<Entry> log;
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(log.Insert({30, 1}));
  EXPECT_TRUE(log.Insert({10, 2}));
  EXPECT_TRUE(log.Insert({20, 3}));
  EXPECT_FALSE(log.Insert({20, 4}));
  EXPECT_THAT(Steps(log), testing::ElementsAre(10, 20, 30));
  EXPECT_EQ(log.Find(20)->value, 3);
  EXPECT_EQ(log.Find(25), nullptr);
  EXPECT_EQ(log.Find(99), nullptr);
  EXPECT_EQ(log.back().step, 30);
}

TEST(StepLog, ACopyStaysAsItWas) {
  StepLog<Entry> log;
  for (int i = 0; i < 100; ++i) log.Insert({i, i});
  const StepLog<Entry> copy = log;
  log.Insert({100, 1});
  log.KeepUpTo(9);
  EXPECT_EQ(copy.size(), 100u);
  EXPECT_EQ(copy[99].step, 99);
  EXPECT_EQ(log.size(), 10u);
}

// Against a map, with a store that is written what changed and nothing else.
TEST(StepLog, WhatIsSavedIsWhatThereIs) {
  constexpr uint64_t kSeed = 7;
  std::printf("seed %d\n", static_cast<int>(kSeed));
  Philox rng(kSeed, "step log", 0);
  StepLog<Entry> log;
  std::map<int64_t, int> model;
  std::map<size_t, std::vector<Entry>> store;
  uint64_t revision = log.revision();
  for (int i = 0; i < 4000; ++i) {
    const double what = rng.Uniform();
    const int64_t step = static_cast<int64_t>(rng.Uniform() * 3000);
    if (what < 0.005) {
      log.KeepUpTo(step);
      model.erase(model.upper_bound(step), model.end());
    } else {
      const bool at_end = what < 0.8;
      const int64_t at = at_end && !model.empty() ? model.rbegin()->first + 1 + step % 3 : step;
      const bool appends = model.empty() || at > model.rbegin()->first;
      EXPECT_EQ(log.Insert({at, i}), model.emplace(at, i).second);
      EXPECT_TRUE(!appends || log.revision() == revision);
    }
    revision = log.revision();
    if (rng.Uniform() < 0.3) {
      for (size_t c = log.first_unsaved(); c < log.chunks().size(); ++c)
        store[c] = *log.chunks()[c];
      for (size_t c = log.chunks().size(); c < log.saved_chunks(); ++c) store.erase(c);
      log.MarkSaved();
      std::vector<int64_t> saved;
      for (const auto& [chunk, entries] : store) {
        for (const Entry& entry : entries) saved.push_back(entry.step);
      }
      ASSERT_EQ(saved, Steps(log)) << i;
    }
  }
  ASSERT_EQ(log.size(), model.size());
  size_t i = 0;
  for (const auto& [step, value] : model) {
    EXPECT_EQ(log[i].step, step);
    EXPECT_EQ(log[i++].value, value);
  }
}

}  // namespace
}  // namespace scm::core
