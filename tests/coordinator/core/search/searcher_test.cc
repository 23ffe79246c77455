// Searchers as state machines: events in, actions out, state that survives as JSON.
#include "coordinator/core/search/searcher.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/rng.h"

namespace scm::search {
namespace {

TrialId T(int64_t n) { return TrialId::FromNumber(n); }

SweepSpec Asha(int64_t max_trials) {
  SweepSpec spec;
  spec.max_trials = max_trials;
  spec.rungs = {100, 300, 1000};
  spec.space = {{"training.learning_rate", LogUniform{5e-5, 1e-3}}};
  return spec;
}

// Drives a searcher as the controller does, state through its JSON text at every step.
class Sweep {
 public:
  explicit Sweep(const SweepSpec& spec, int64_t max_steps = 2000)
      : searcher_(MakeSearcher(spec, max_steps).value()) {}

  std::vector<SearchAction> Do(const SearchEvent& event) {
    events_.push_back(event);
    SearchStep step = searcher_->Advance(state_, event);
    state_.value = ParseJson(step.state.value.dump(), "state").value();
    return step.actions;
  }

  // Starts, and creates every trial that was asked for: t-1, t-2 …
  void Start() {
    int64_t n = 0;
    for (const SearchAction& action : Do(SearchStarted{})) {
      Do(TrialCreated{T(++n), std::get<CreateTrial>(action).parameters});
    }
  }

  // "C: 1st of …", "S: …", "" without an action.
  std::string Reach(int64_t trial, int64_t step, double value) {
    std::string text;
    for (const SearchAction& action : Do(RungReached{T(trial), step, value})) {
      if (const auto* on = std::get_if<ContinueTrial>(&action)) text += "C: " + on->reason;
      if (const auto* stop = std::get_if<StopTrial>(&action)) text += "S: " + stop->reason;
    }
    return text;
  }

  bool Exit(int64_t trial, TrialEnd end) {
    for (const SearchAction& action : Do(TrialExited{T(trial), end})) {
      if (std::holds_alternative<SearchFinished>(action)) return true;
    }
    return false;
  }

  std::string Ranking() const {
    std::string text;
    for (const RankedTrial& row : searcher_->Ranking(state_)) {
      text += row.trial.str() + "@" + std::to_string(row.step) + " ";
    }
    return text;
  }

  const Searcher& searcher() const { return *searcher_; }
  const SearchState& state() const { return state_; }
  const std::vector<SearchEvent>& events() const { return events_; }

 private:
  std::unique_ptr<Searcher> searcher_;
  SearchState state_;
  std::vector<SearchEvent> events_;
};

TEST(Asha, CreatesEveryTrialAtTheStart) {
  Sweep sweep(Asha(16));
  const std::vector<SearchAction> actions = sweep.Do(SearchStarted{});
  ASSERT_EQ(actions.size(), 16u);
  for (const SearchAction& action : actions) {
    const Json& parameters = std::get<CreateTrial>(action).parameters;
    EXPECT_TRUE(parameters.contains("training.learning_rate"));
  }
  EXPECT_TRUE(sweep.Do(SearchStarted{}).empty()) << "a second start asks for nothing";
}

TEST(Asha, FollowsTheGoldenSequence) {
  Sweep sweep(Asha(9));
  sweep.Start();
  const double values[] = {.5, .4, .6, .45, .3, .35, .7, .2, .55};
  std::string decisions;
  for (int64_t i = 0; i < 9; ++i) {
    decisions += sweep.Reach(i + 1, 100, values[i])[0] == 'C' ? 'C' : '.';
  }
  EXPECT_EQ(decisions, "CC..CC.C.");
}

TEST(Asha, MaximisesWhenAsked) {
  SweepSpec spec = Asha(3);
  spec.mode = "max";
  spec.metric = "validation_accuracy";
  Sweep sweep(spec);
  sweep.Start();
  EXPECT_EQ(sweep.Reach(1, 100, .5)[0], 'C');
  EXPECT_EQ(sweep.Reach(2, 100, .4)[0], 'S');
  EXPECT_EQ(sweep.Reach(3, 100, .6)[0], 'C');
}

TEST(Asha, LastRungCompletesWhateverTheValue) {
  Sweep sweep(Asha(3));
  sweep.Start();
  EXPECT_EQ(sweep.Reach(1, 1000, .1), "C: 1st of 1 at step 1000, the last rung: runs to its end");
  EXPECT_EQ(sweep.Reach(2, 1000, .9), "C: 2nd of 2 at step 1000, the last rung: runs to its end");
  EXPECT_EQ(sweep.Reach(3, 1000, .8), "C: 2nd of 3 at step 1000, the last rung: runs to its end");
}

TEST(Asha, EachRungIsJudgedByItself) {
  Sweep sweep(Asha(3));
  sweep.Start();
  EXPECT_EQ(sweep.Reach(1, 100, .5)[0], 'C');
  EXPECT_EQ(sweep.Reach(2, 100, .4)[0], 'C');
  EXPECT_EQ(sweep.Reach(2, 300, .45)[0], 'C');
  EXPECT_EQ(sweep.Reach(1, 300, .46), "S: 2nd of 2 at step 300: stops (not the best so far)");
}

TEST(Asha, WhatDoesNotCountChangesNothing) {
  Sweep sweep(Asha(4));
  sweep.Start();
  sweep.Reach(1, 100, .5);
  EXPECT_EQ(sweep.Reach(2, 100, .6)[0], 'S');
  sweep.Exit(3, TrialEnd::kCensored);
  const std::string before = sweep.state().value.dump();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(sweep.Reach(1, 100, .1), "") << "a repeated report";
  EXPECT_EQ(sweep.Reach(2, 300, .1), "") << "of a trial told to stop";
  EXPECT_EQ(sweep.Reach(3, 100, .1), "") << "of a trial that ended";
  EXPECT_EQ(sweep.Reach(4, 150, .1), "") << "no rung";
  EXPECT_EQ(sweep.Reach(9, 100, .1), "") << "unknown trial";
  EXPECT_EQ(sweep.Reach(4, 100, kNan), "");
  EXPECT_EQ(sweep.Reach(4, 100, -kInfinity), "");
  EXPECT_EQ(sweep.Reach(4, 100, kInfinity), "");
  sweep.Do(TrialCreated{T(9), Json::object()});
  EXPECT_EQ(sweep.state().value.dump(), before);
}

// Emulated peers stop .4, .3 and .2 here, each the best so far, once NaN is in their list.
TEST(Asha, NotANumberDoesNotSpoilTheRung) {
  SweepSpec spec = Asha(5);
  spec.eta = 4;
  Sweep sweep(spec);
  sweep.Start();
  EXPECT_EQ(sweep.Reach(1, 100, .5)[0], 'C');
  EXPECT_EQ(sweep.Reach(2, 100, std::numeric_limits<double>::quiet_NaN()), "");
  EXPECT_EQ(sweep.Reach(3, 100, .4)[0], 'C');
  EXPECT_EQ(sweep.Reach(4, 100, .3)[0], 'C');
  EXPECT_EQ(sweep.Reach(5, 100, .2), "C: 1st of 4 at step 100: continues (top 1/4)");
}

TEST(Asha, FinishesOnceWhenEveryTrialExited) {
  Sweep sweep(Asha(3));
  sweep.Start();
  EXPECT_FALSE(sweep.Exit(2, TrialEnd::kFailed));
  EXPECT_FALSE(sweep.Exit(2, TrialEnd::kCompleted)) << "a trial exits once";
  EXPECT_FALSE(sweep.Exit(1, TrialEnd::kCensored));
  EXPECT_TRUE(sweep.Exit(3, TrialEnd::kDiverged));
  EXPECT_FALSE(sweep.Exit(3, TrialEnd::kDiverged));
}

TEST(Asha, DoesNotFinishWhileTrialsAreStillToBeCreated) {
  Sweep sweep(Asha(2));
  const std::vector<SearchAction> actions = sweep.Do(SearchStarted{});
  sweep.Do(TrialCreated{T(1), std::get<CreateTrial>(actions[0]).parameters});
  EXPECT_FALSE(sweep.Exit(1, TrialEnd::kCompleted));
  sweep.Do(TrialCreated{T(2), std::get<CreateTrial>(actions[1]).parameters});
  EXPECT_TRUE(sweep.Exit(2, TrialEnd::kCompleted));
}

TEST(Asha, RanksByRungThenValueThenStatus) {
  Sweep sweep(Asha(8));
  sweep.Start();
  sweep.Reach(1, 100, .5);
  sweep.Reach(2, 100, .4);
  sweep.Reach(3, 100, .1);
  sweep.Reach(4, 100, .05);  // best at the first rung, then diverges
  sweep.Reach(1, 300, .6);   // further than 2 and 3, though with a worse value
  for (int64_t trial : {1, 2, 3}) sweep.Exit(trial, TrialEnd::kCompleted);
  sweep.Exit(4, TrialEnd::kDiverged);
  sweep.Exit(5, TrialEnd::kDiverged);
  sweep.Exit(6, TrialEnd::kFailed);
  sweep.Exit(7, TrialEnd::kCensored);
  EXPECT_EQ(sweep.Ranking(), "t-1@300 t-3@100 t-2@100 t-6@0 t-4@100 t-5@0 ")
      << "t-7 is censored, t-8 still going";
}

TEST(Asha, EqualValuesRankInOrderOfArrival) {
  Sweep sweep(Asha(3));
  sweep.Start();
  for (int64_t trial : {2, 3, 1}) sweep.Reach(trial, 1000, .5);
  for (int64_t trial : {1, 2, 3}) sweep.Exit(trial, TrialEnd::kCompleted);
  EXPECT_EQ(sweep.Ranking(), "t-2@1000 t-3@1000 t-1@1000 ");
}

TEST(Asha, ReplayGivesTheSameState) {
  const uint64_t seed = 20240607;
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  Philox rng(seed, "searcher_test");
  Sweep sweep(Asha(27));
  sweep.Start();
  for (int i = 0; i < 300; ++i) {
    const int64_t trial = 1 + static_cast<int64_t>(rng.Below(27));
    const int64_t rungs[] = {100, 300, 1000};
    if (rng.Below(8) == 0) {
      sweep.Exit(trial, static_cast<TrialEnd>(rng.Below(4)));
    } else {
      sweep.Reach(trial, rungs[rng.Below(3)], rng.Uniform());
    }
  }
  SearchState replayed;
  for (const SearchEvent& event : sweep.events()) {
    replayed = sweep.searcher().Advance(replayed, event).state;
  }
  EXPECT_EQ(replayed.value.dump(), sweep.state().value.dump());
  EXPECT_FALSE(sweep.Ranking().empty());
}

TEST(GridAndRandom, OnlyStopAtMaxSteps) {
  for (const char* search : {"grid", "random"}) {
    SweepSpec spec = Asha(4);
    spec.search = search;
    spec.rungs.clear();
    Sweep sweep(spec, 600);
    EXPECT_EQ(sweep.searcher().rungs(), std::vector<int64_t>{600});
    sweep.Start();
    const double values[] = {.3, .9, .1, .5};
    for (int64_t i = 0; i < 4; ++i) {
      EXPECT_EQ(sweep.Reach(i + 1, 100, values[i]), "");
      EXPECT_EQ(sweep.Reach(i + 1, 600, values[i])[0], 'C');
      EXPECT_EQ(sweep.Exit(i + 1, TrialEnd::kCompleted), i == 3);
    }
    EXPECT_EQ(sweep.Ranking(), "t-3@600 t-1@600 t-4@600 t-2@600 ") << search;
  }
}

TEST(Grid, FinishesWithFewerTrialsThanAllowed) {
  SweepSpec spec = Asha(16);
  spec.search = "grid";
  spec.space = {{"training.batch_size", Choice{{2, 4}}}};
  Sweep sweep(spec);
  sweep.Start();
  EXPECT_FALSE(sweep.Exit(1, TrialEnd::kCompleted));
  EXPECT_TRUE(sweep.Exit(2, TrialEnd::kCompleted));
}

struct Refused {
  const char* name;
  void (*change)(SweepSpec&);
  const char* says;
};

class RefusedSearch : public testing::TestWithParam<Refused> {};

TEST_P(RefusedSearch, SaysWhatWasExpected) {
  SweepSpec spec = Asha(4);
  GetParam().change(spec);
  const auto searcher = MakeSearcher(spec, 2000);
  ASSERT_EQ(searcher.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(searcher.status().message()).find(GetParam().says), std::string::npos)
      << searcher.status();
}

INSTANTIATE_TEST_SUITE_P(
    Tables, RefusedSearch,
    testing::Values(
        Refused{"Tpe", [](SweepSpec& s) { s.search = "tpe"; }, "use asha, random or grid"},
        Refused{"Mode", [](SweepSpec& s) { s.mode = "low"; }, "expected min or max"},
        Refused{"Eta", [](SweepSpec& s) { s.eta = 1; }, "sweep.eta: expected at least 2"},
        Refused{"NoRungs", [](SweepSpec& s) { s.rungs.clear(); }, "at least one rung"},
        Refused{"Descending",
                [](SweepSpec& s) {
                  s.rungs = {300, 100};
                },
                "found 100"},
        Refused{"BeyondTheEnd",
                [](SweepSpec& s) {
                  s.rungs = {100, 3000};
                },
                "found 3000"},
        Refused{"NoSpace", [](SweepSpec& s) { s.space.clear(); }, "sweep.space: empty"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace scm::search
