// The coordinator under faults, seed by seed. SCM_SIMULATION_SEEDS says how many (default below),
// SCM_SIMULATION_SEED runs a single one.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "coordinator/state/snapshot_index.h"
#include "tests/coordinator/controller/sim_cluster.h"

namespace scm::simulation {
namespace {

constexpr uint64_t kSeeds = 20;

std::vector<uint64_t> Seeds() {
  uint64_t number = 0;
  const char* one = std::getenv("SCM_SIMULATION_SEED");
  if (one != nullptr && absl::SimpleAtoi(one, &number)) return {number};
  const char* many = std::getenv("SCM_SIMULATION_SEEDS");
  if (many == nullptr || !absl::SimpleAtoi(many, &number)) number = kSeeds;
  std::vector<uint64_t> seeds;
  for (uint64_t seed = 1; seed <= number; ++seed) seeds.push_back(seed);
  return seeds;
}

struct ExperimentChoices {
  std::string search = "grid";
  double gpus = 0, gpu_memory_gib = 0;
  int64_t cpus = 1, priority = 50, retries = 50, ranks = 1;
  std::string stages = "check, sweep, replicate, report";
  bool packed = false, trials_packed = false;
  std::string more;
};

std::string Experiment(const std::string& name, const ExperimentChoices& choices) {
  return absl::StrCat(
      "name: ", name, "\nstages: [", choices.stages, "]\n",
      "model: {base: m.gguf}\ndata: {corpus: c}\n", "trainer: {command: [python3, train.py]}\n",
      "training: {learning_rate: 1.0e-3, max_steps: 30, warmup_steps: 0, save_steps: 5, "
      "eval_steps: 5, early_stopping: none}\n",
      "check: {steps: 5}\n", "sweep: {search: ", choices.search,
      ", metric: validation_loss, mode: min, max_trials: 4, ",
      choices.search == "asha" ? "rungs: [5, 10, 30], eta: 2, " : "",
      choices.trials_packed ? "packed: true, pack_size: 3, " : "",
      "seed: 1, space: {training.learning_rate: {choice: [1.0e-3, 3.0e-4, 1.0e-4, 1.0]}}}\n",
      "replicate: {seeds: [11, 12, 13]", choices.packed ? ", packed: true" : "", "}\n",
      "abort: {no_convergence: {after_step: 10}, below_random: none}\n",
      "retries: {max: ", choices.retries, "}\n", "evaluation: {tasks: [a]}\nexport: {}\n",
      "resources: {ranks: ", choices.ranks, ", gpus: ", choices.gpus, ", cpus: ", choices.cpus,
      ", priority: ", choices.priority, ", gpu_memory_gib: ", choices.gpu_memory_gib, "}\n",
      choices.more);
}

// A cluster and experiments of many shapes, all of which can be placed when every worker is there.
Scenario Shape(uint64_t seed) {
  Philox rng(seed, "scenario");
  Scenario scenario;
  scenario.seed = seed;
  scenario.hosts.push_back({4, 2});
  const uint64_t hosts = rng.Below(3);
  for (uint64_t i = 0; i < hosts; ++i) {
    scenario.hosts.push_back(
        {1 + static_cast<int64_t>(rng.Below(4)), static_cast<int64_t>(rng.Below(3))});
  }
  const uint64_t experiments = 1 + rng.Below(3);
  for (uint64_t i = 0; i < experiments; ++i) {
    ExperimentChoices choices;
    choices.gpus = static_cast<int64_t>(rng.Below(3));
    choices.cpus = 1 + static_cast<int64_t>(rng.Below(2));
    choices.priority = 40 + 10 * static_cast<int64_t>(rng.Below(3));
    if (rng.Below(2) == 0) choices.stages = "check, sweep, replicate, evaluate, export, report";
    scenario.experiments.push_back(Experiment(absl::StrCat("x", i), choices));
  }
  return scenario;
}

Scenario Harmless(uint64_t seed) {
  Scenario scenario = Shape(seed);
  scenario.faults_for = absl::Minutes(12);
  scenario.fault_every = absl::Seconds(15);
  scenario.trainer_fault = 0.15;
  scenario.harmless = true;
  scenario.user_acts = seed % 2 == 0;
  return scenario;
}

// Everything may happen: other searches, few retries, budgets, failures for good, cancellations.
Scenario Harmful(uint64_t seed) {
  Scenario scenario = Harmless(seed);
  scenario.harmless = false;
  scenario.user_acts = true;
  scenario.trainer_fault = 0.3;
  Philox rng(seed, "harm");
  for (size_t i = 0; i < scenario.experiments.size(); ++i) {
    ExperimentChoices choices;
    choices.search = rng.Below(2) == 0 ? "asha" : "random";
    choices.gpus = static_cast<int64_t>(rng.Below(2));
    choices.priority = 40 + 10 * static_cast<int64_t>(rng.Below(3));
    choices.retries = 3;
    if (rng.Below(3) == 0) {
      choices.more = absl::StrCat("budget: {limit: ", 1 + rng.Below(4),
                                  ", gpu_hour: {default: 2.0}, cpu_hour: 0.5}\n");
    }
    if (rng.Below(4) == 0) choices.more += "timeline: {finish_by: 2026-09-21, max_slip_days: 0}\n";
    scenario.experiments[i] = Experiment(absl::StrCat("x", i), choices);
  }
  return scenario;
}

// Gangs of two and three ranks on two hosts, beside an experiment of single processes.
Scenario Gangs(uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.hosts = {{3, 0}, {2, 0}};
  for (const int64_t ranks : {3, 2, 1}) {
    ExperimentChoices choices;
    choices.ranks = ranks;
    choices.stages = "sweep, replicate, report";
    scenario.experiments.push_back(Experiment(absl::StrCat("x", ranks), choices));
  }
  return scenario;
}

// Shares of two GPUs, with and without a bound of memory, beside whole ones.
Scenario Shares(uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.hosts = {{4, 1}, {4, 1}};
  for (const auto& [gpus, memory] :
       std::vector<std::pair<double, double>>{{0.5, 0}, {0.25, 5}, {1, 0}, {0.3, 2.5}}) {
    ExperimentChoices choices;
    choices.gpus = gpus;
    choices.gpu_memory_gib = memory;
    choices.stages = "sweep, replicate, report";
    scenario.experiments.push_back(
        Experiment(absl::StrCat("x", scenario.experiments.size()), choices));
  }
  return scenario;
}

// Three seeds in one process: alone, in a gang of two, and beside an experiment of single runs.
Scenario Packs(uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.hosts = {{2, 0}, {2, 0}};
  for (const int64_t ranks : {1, 2, 1}) {
    ExperimentChoices choices;
    choices.ranks = ranks;
    choices.packed = scenario.experiments.size() < 2;
    choices.stages = "sweep, replicate, report";
    scenario.experiments.push_back(
        Experiment(absl::StrCat("x", scenario.experiments.size()), choices));
  }
  return scenario;
}

// Four trials in two processes: of a grid, of a gang, and stopped at rungs.
Scenario TrialPacks(uint64_t seed, const std::string& last_search) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.hosts = {{2, 0}, {2, 0}};
  for (const int64_t ranks : {1, 2, 1}) {
    ExperimentChoices choices;
    choices.ranks = ranks;
    choices.trials_packed = true;
    choices.packed = scenario.experiments.empty();
    choices.stages = "sweep, replicate, report";
    if (scenario.experiments.size() == 2) choices.search = last_search;
    scenario.experiments.push_back(
        Experiment(absl::StrCat("x", scenario.experiments.size()), choices));
  }
  return scenario;
}
// Grids only: which trial comes to a rung first depends on what happens to the others.
Scenario PackedGrids(uint64_t seed) { return TrialPacks(seed, "grid"); }

// What an experiment found, without anything that depends on when or where: the trials in order,
// the winner, and of each run its seed, end and validations.
std::string Result(const state::Snapshot& snapshot) {
  std::string text;
  for (const auto& [id, e] : *snapshot.experiments) {
    absl::StrAppend(&text, e->name, " ", StateName(e->state), " winner ", e->winner.dump(), "\n");
    for (const auto& [run_id, run] : *snapshot.runs) {
      const core::RunStanding end = state::StandingOf(snapshot, *run);
      if (run->experiment != id) continue;
      // The absurd trial is aborted, or its `done` overtakes the abort and counts: both are right.
      if (NumberAt(run->parameters, "training.learning_rate", 0) > 0.5) continue;
      absl::StrAppend(&text, "  ", StageName(run->stage), " seed ", run->seed, " ",
                      run->parameters.dump(), " ", StateName(end.state), " ", end.rule);
      if (end.state == State::kSucceeded) {
        absl::StrAppend(&text, " step ", run->step, " best ", run->best_step.value_or(-1));
        for (const ValidationRecord& v : run->validations) {
          absl::StrAppend(&text, " ", v.step, ":", v.loss.value_or(-1));
        }
      }
      absl::StrAppend(&text, "\n");
    }
  }
  return text;
}

std::string Joined(const std::vector<std::string>& lines) { return absl::StrJoin(lines, "\n"); }

void ExpectSound(SimCluster& cluster) {
  EXPECT_EQ(Joined(cluster.problems()), "") << cluster.EventLog();
  EXPECT_EQ(Joined(CheckMetrics(*cluster.snapshot(), cluster.store())), "") << cluster.EventLog();
}

void Sum(const SimCluster& cluster, std::map<std::string, int64_t>& sums) {
  sums["coordinator restarts"] += cluster.restarts();
  sums["rounds"] += cluster.rounds();
  sums["hours simulated x 1000"] +=
      static_cast<int64_t>(1000 * absl::ToDoubleHours(cluster.lasted()));
  for (const auto& [what, count] : cluster.played()) sums[what] += count;
}

void Print(const std::map<std::string, int64_t>& sums) {
  for (const auto& [what, count] : sums) std::printf("  %s: %ld\n", what.c_str(), count);
}

TEST(Simulation, HarmlessFaultsChangeNoResult) {
  std::map<std::string, int64_t> sums;
  for (const uint64_t seed : Seeds()) {
    SCOPED_TRACE(absl::StrCat("SCM_SIMULATION_SEED=", seed));
    Scenario calm_scenario = Shape(seed);
    SimCluster calm(calm_scenario), disturbed(Harmless(seed));
    calm.Run();
    disturbed.Run();
    ExpectSound(calm);
    ExpectSound(disturbed);
    EXPECT_EQ(Result(*calm.snapshot()), Result(*disturbed.snapshot()));
    Sum(disturbed, sums);
    if (testing::Test::HasFailure()) {
      std::printf("first failing seed: %lu\n", seed);
      return;
    }
  }
  Print(sums);
}

TEST(Simulation, EveryExperimentEndsWhateverHappens) {
  std::map<std::string, int64_t> sums;
  for (const uint64_t seed : Seeds()) {
    SCOPED_TRACE(absl::StrCat("SCM_SIMULATION_SEED=", seed));
    SimCluster cluster(Harmful(seed));
    cluster.Run();
    ExpectSound(cluster);
    for (const auto& [id, e] : *cluster.snapshot()->experiments) {
      ++sums[absl::StrCat("experiments ", StateName(e->state))];
    }
    Sum(cluster, sums);
    if (testing::Test::HasFailure()) {
      std::printf("first failing seed: %lu\n", seed);
      return;
    }
  }
  Print(sums);
}

// Of a few seeds: with faults that must not change a result, the result of a calm cluster.
void ExpectSameResult(Scenario (*shape)(uint64_t seed)) {
  std::map<std::string, int64_t> sums;
  for (uint64_t seed : Seeds()) {
    if (seed > 6 && Seeds().size() > 1) break;
    SCOPED_TRACE(absl::StrCat("SCM_SIMULATION_SEED=", seed));
    Scenario faults = shape(seed);
    faults.faults_for = absl::Minutes(12);
    faults.fault_every = absl::Seconds(20);
    faults.trainer_fault = 0.1;
    faults.harmless = true;
    SimCluster calm(shape(seed)), disturbed(faults);
    calm.Run();
    disturbed.Run();
    ExpectSound(calm);
    ExpectSound(disturbed);
    EXPECT_EQ(Result(*calm.snapshot()), Result(*disturbed.snapshot()));
    Sum(disturbed, sums);
    if (testing::Test::HasFailure()) {
      std::printf("first failing seed: %lu\n", seed);
      return;
    }
  }
  Print(sums);
}

TEST(Simulation, GangsComeToTheSameResultUnderHarmlessFaults) { ExpectSameResult(Gangs); }

TEST(Simulation, PacksComeToTheSameResultUnderHarmlessFaults) { ExpectSameResult(Packs); }

TEST(Simulation, PacksOfTrialsComeToTheSameResultUnderHarmlessFaults) {
  ExpectSameResult(PackedGrids);
}

TEST(Simulation, PacksOfTrialsComeToTheResultOfTrialsAlone) {
  for (const uint64_t seed : {1, 2, 3}) {
    Scenario alone = PackedGrids(seed);
    for (std::string& file : alone.experiments) {
      file = absl::StrReplaceAll(file, {{"packed: true, pack_size: 3, ", ""}});
    }
    SimCluster packed(PackedGrids(seed)), single(alone);
    packed.Run();
    single.Run();
    ExpectSound(packed);
    EXPECT_EQ(Result(*packed.snapshot()), Result(*single.snapshot()));
    EXPECT_LT(packed.snapshot()->tasks->size(), single.snapshot()->tasks->size());
  }
}

// Of a few seeds: runs fail, diverge, hang and are aborted, and users act.
void ExpectToEnd(Scenario (*shape)(uint64_t seed)) {
  for (uint64_t seed : Seeds()) {
    if (seed > 10 && Seeds().size() > 1) break;
    SCOPED_TRACE(absl::StrCat("SCM_SIMULATION_SEED=", seed));
    Scenario scenario = shape(seed);
    scenario.faults_for = absl::Minutes(12);
    scenario.fault_every = absl::Seconds(20);
    scenario.trainer_fault = 0.4;
    scenario.user_acts = true;
    SimCluster cluster(scenario);
    cluster.Run();
    ExpectSound(cluster);
    if (testing::Test::HasFailure()) return;
  }
}

// A rank of two or three that does so ends the attempt on all.
TEST(Simulation, GangsEndWhateverHappens) { ExpectToEnd(Gangs); }

TEST(Simulation, SharesOfGpusComeToTheSameResultUnderHarmlessFaults) { ExpectSameResult(Shares); }

TEST(Simulation, SharesOfGpusEndWhateverHappens) { ExpectToEnd(Shares); }

// A run of a pack does so beside others.
TEST(Simulation, PacksEndWhateverHappens) { ExpectToEnd(Packs); }

TEST(Simulation, PacksOfTrialsEndWhateverHappens) {
  ExpectToEnd([](uint64_t seed) { return TrialPacks(seed, "asha"); });
}

TEST(Simulation, TheSameSeedGivesTheSameEvents) {
  for (const uint64_t seed : {1, 2, 3}) {
    SimCluster first(Harmful(seed)), second(Harmful(seed));
    first.Run();
    second.Run();
    EXPECT_EQ(first.EventLog(), second.EventLog()) << "seed " << seed;
    EXPECT_EQ(Dump(*first.snapshot()), Dump(*second.snapshot())) << "seed " << seed;
  }
}

// Without the reports' inputs: they hold rows as the store has them, and after a commit that was
// made and reported as failed it has more than the inputs say.
std::string DumpOfRecords(const state::Snapshot& snapshot) {
  std::vector<std::string> lines = absl::StrSplit(Dump(snapshot), '\n');
  std::erase_if(lines, [](const std::string& line) {
    return absl::StrContains(line, "/report_data-") && absl::StartsWith(line, R"({"id":"k-)");
  });
  return Joined(lines);
}

// (time, input) is a log: another controller makes the same state of it, restarts, full disks and
// clocks that were set included.
TEST(Simulation, TheInputsAloneGiveTheSameState) {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6}) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    SimCluster cluster(Harmful(seed));
    cluster.Run();
    store::MemoryStore store;
    const std::shared_ptr<const state::Snapshot> replayed = Replay(cluster.journal(), store);
    ASSERT_NE(replayed, nullptr);
    EXPECT_TRUE(DumpOfRecords(*cluster.snapshot()) == DumpOfRecords(*replayed));
  }
}

}  // namespace
}  // namespace scm::simulation
