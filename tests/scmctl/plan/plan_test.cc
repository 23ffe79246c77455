#include "scmctl/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "experiment/parse.h"
#include "scmctl/plan/stage_steps.h"
#include "tests/corpus/corpus_on_disk.h"
#include "tests/scmctl/answers.h"

namespace scm::ctl {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// An experiment with a trainer of its own, so that it needs neither model nor corpus.
ExperimentSpec Spec(const std::string& sweep, const std::string& extra = "") {
  const ParsedExperiment parsed = ParseExperiment(
      absl::StrCat("name: p\nstages: [", sweep.empty() ? "" : "sweep, ",
                   "replicate]\ntrainer: {command: [fake]}\n"
                   "training: {max_steps: 1000, save_steps: 100, eval_steps: 50, batch_size: 4}\n"
                   "replicate: {seeds: [11, 12, 13, 14, 15]}\n"
                   "abort: {no_convergence: none, below_random: none}\n",
                   sweep, extra),
      {.base_directory = "/", .check_paths = false});
  for (const Diagnostic& error : parsed.errors) ADD_FAILURE() << FormatDiagnostic("spec", error);
  return parsed.spec.value_or(ExperimentSpec());
}

constexpr char kAsha[] =
    "sweep: {search: asha, max_trials: 16, rungs: [100, 300, 1000], eta: 3, seed: 1,\n"
    "        space: {training.learning_rate: {log_uniform: [5.0e-5, 1.0e-3]}}}\n";
constexpr char kMoney[] = "budget: {limit: 2.0, currency: USD, cpu_hour: 0.5}\n";

PlanInventory Inventory(int workers) {
  PlanInventory inventory;
  for (int i = 0; i < workers; ++i) inventory.workers.push_back({absl::StrCat("w-", i), 1, {}, {}});
  inventory.measured.push_back({"p", "", 4, 0, 1, 2.0});
  return inventory;
}

TEST(PlanTest, AProgramThatNoWorkerMayStartCannotBePlaced) {
  ExperimentSpec spec = Spec("");
  spec.trainer.command = {"/x/train.py"};
  PlanInventory inventory = Inventory(2);
  EXPECT_THAT(MakePlan(spec, &inventory)["unplaceable"], testing::IsEmpty());  // they do not say
  for (PlanWorker& worker : inventory.workers) worker.trainers = {"scm-report", "/x/other.py"};
  const Json plan = MakePlan(spec, &inventory);
  EXPECT_EQ(plan["unplaceable"],
            Json({"no worker allows /x/train.py; start one with --allow-trainer /x/train.py"}));
  EXPECT_EQ(plan["slots"], 0);
  inventory.workers[1].trainers.push_back("/x/train.py");
  EXPECT_EQ(MakePlan(spec, &inventory)["slots"], 1);
  // It is away for the moment, and comes back: nothing is refused, but nothing runs now.
  inventory.workers[1].ready = false;
  EXPECT_THAT(RefusedPrograms(spec, inventory), testing::IsEmpty());
  EXPECT_EQ(MakePlan(spec, &inventory)["unplaceable"],
            Json({"no worker allows /x/train.py; start one with --allow-trainer /x/train.py (one "
                  "that does is not ready)"}));

  spec.stages = {StageKind::kReplicate, StageKind::kEvaluate, StageKind::kReport};
  inventory.workers[0].trainers = inventory.workers[1].trainers = {"/x/train.py"};
  const std::vector<RefusedProgram> refused = RefusedPrograms(spec, inventory);
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].key, "stages");
  EXPECT_THAT(refused[0].message, HasSubstr("no worker has scm-evaluator"));
}

TEST(PlanTest, TheInventorySaysWhatWorkersAllow) {
  const PlanInventory inventory = InventoryFromJson(
      Json{{"workers",
            {{{"id", "w-1"}, {"state", "READY"}, {"cpus", 2}, {"trainers", {"/x/train.py"}}},
             {{"id", "w-2"}, {"state", "LOST"}, {"cpus", 2}}}}});
  ASSERT_EQ(inventory.workers.size(), 2u);
  EXPECT_EQ(inventory.workers[0].trainers, std::vector<std::string>{"/x/train.py"});
  EXPECT_TRUE(inventory.workers[0].ready);
  EXPECT_FALSE(inventory.workers[1].ready);
}

int64_t SweepTrials(const ExperimentSpec& spec) {
  return core::NeedsOf(StageKind::kSweep).work(spec).tasks;
}

std::vector<std::pair<int64_t, int64_t>> Rungs(const Json& plan) {
  std::vector<std::pair<int64_t, int64_t>> rungs;
  for (const Json& row : plan["rungs"]) {
    rungs.emplace_back(IntegerAt(row, "step", 0), IntegerAt(row, "trials", 0));
  }
  return rungs;
}

TEST(PlanTest, RungTableHalvesByEtaAndKeepsOne) {
  using Rows = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(Rungs(MakePlan(Spec(kAsha), nullptr)), (Rows{{100, 16}, {300, 5}, {1000, 1}}));
}

TEST(PlanTest, TrialsAreThePointsThatTheSearcherSamples) {
  // Six points of a grid, though 16 are allowed; a random search over two values has two.
  EXPECT_EQ(SweepTrials(Spec("sweep: {search: grid, max_trials: 16, seed: 1, space: {"
                             "training.learning_rate: {choice: [1.0e-4, 2.0e-4, 3.0e-4]},"
                             "training.batch_size: {choice: [2, 4]}}}\n")),
            6);
  EXPECT_EQ(SweepTrials(Spec("sweep: {search: random, max_trials: 16, seed: 1, space: {"
                             "training.batch_size: {choice: [2, 4]}}}\n")),
            2);
  const int64_t real_grid =
      SweepTrials(Spec("sweep: {search: grid, max_trials: 10, seed: 1, space: {"
                       "training.learning_rate: {log_uniform: [1.0e-4, 1.0e-2]},"
                       "training.batch_size: {choice: [2, 4, 8]}}}\n"));
  EXPECT_EQ(real_grid, 9);  // 3 × 3 is the largest grid of at most 10
  EXPECT_EQ(SweepTrials(Spec("")), 0);
}

// Trials in one process are one task that takes as long as they do together.
TEST(PlanTest, PackedTrialsAreFewerTasksOfTheSameWork) {
  const ExperimentSpec alone = Spec(kAsha);
  ExperimentSpec packed = alone;
  packed.sweep->packed = true;
  packed.sweep->pack_size = 4;
  EXPECT_EQ(MakePlan(packed, nullptr)["stages"][0]["tasks"], 4);
  EXPECT_EQ(Rungs(MakePlan(packed, nullptr)), Rungs(MakePlan(alone, nullptr)));
  const core::StageWork work = core::NeedsOf(StageKind::kSweep).work(packed);
  for (uint64_t draw = 0; draw < 100; ++draw) {
    Philox one(1, "packs", draw), other(1, "packs", draw);
    const std::vector<double> tasks = DrawSteps(work, one);
    const std::vector<double> trials =
        DrawSteps(core::NeedsOf(StageKind::kSweep).work(alone), other);
    ASSERT_EQ(tasks.size(), 4u);
    ASSERT_EQ(trials.size(), 16u);
    for (size_t task = 0; task < 4; ++task) {
      EXPECT_EQ(tasks[task], trials[4 * task] + trials[4 * task + 1] + trials[4 * task + 2] +
                                 trials[4 * task + 3]);
    }
  }
}

// The plan draws the work of a stage, the coordinator's forecast takes its mean, both from one
// description: the same tasks, the same ends, the same rule at a rung, the same trials.
TEST(PlanTest, ThePlanDrawsWhatTheForecastExpects) {
  const std::string learning_rate = "training.learning_rate: {log_uniform: [5.0e-5, 1.0e-3]}";
  const std::string batch_size = "training.batch_size: {choice: [2, 4, 8]}";
  const std::string sweeps[] = {
      "",
      kAsha,
      absl::StrCat("sweep: {search: asha, max_trials: 40, rungs: [50, 100, 200, 400], eta: 2, "
                   "seed: 1, space: {",
                   learning_rate, "}}\n"),
      absl::StrCat("sweep: {search: asha, max_trials: 5, rungs: [1000], eta: 3, seed: 1, space: {",
                   learning_rate, "}}\n"),
      absl::StrCat("sweep: {search: random, max_trials: 7, seed: 1, space: {", learning_rate,
                   "}}\n"),
      absl::StrCat("sweep: {search: grid, max_trials: 16, seed: 1, space: {", batch_size, "}}\n")};
  constexpr int kRepeats = 3000;
  for (const std::string& sweep : sweeps) {
    ExperimentSpec spec = Spec(sweep);
    spec.stages = {std::begin(kAllStages), std::end(kAllStages)};
    const Json plan = MakePlan(spec, nullptr);
    for (size_t s = 0; s < spec.stages.size(); ++s) {
      SCOPED_TRACE(absl::StrCat(StageName(spec.stages[s]), " of ", sweep));
      const core::StageWork work = core::NeedsOf(spec.stages[s]).work(spec);
      EXPECT_EQ(plan["stages"][s]["tasks"], work.tasks);
      Philox rng(1, "agreement", s);
      double drawn = 0, past_first = 0;
      for (int repeat = 0; repeat < kRepeats; ++repeat) {
        const std::vector<double> steps = DrawSteps(work, rng);
        ASSERT_EQ(static_cast<int64_t>(steps.size()), work.tasks);
        for (const double task : steps) {
          drawn += task / kRepeats;
          past_first += !work.ends.empty() && task > static_cast<double>(work.ends.front());
        }
      }
      const double expected = static_cast<double>(work.tasks) * core::StepsOf(work).Beyond(0).mean;
      const bool races = work.ends.size() > 1;
      EXPECT_NEAR(drawn, expected, (races ? 0.015 : 0.001) * expected);
      if (!races) continue;
      const double survivors = past_first / kRepeats / static_cast<double>(work.tasks);
      EXPECT_NEAR(survivors, core::RungReach(2, work.tasks, work.eta)[1], 0.01);
    }
  }
}

TEST(PlanTest, WithoutACoordinatorItSaysWhatItLacksAndGuessesNothing) {
  const Json plan = MakePlan(Spec(kAsha, kMoney), nullptr);
  EXPECT_TRUE(plan["unplaceable"].is_null());
  EXPECT_TRUE(plan["cost"]["p50"].is_null());
  EXPECT_TRUE(plan["finish"]["p90"].is_null());
  EXPECT_THAT(plan["missing"].dump(), HasSubstr("coordinator"));
  EXPECT_EQ(plan["tasks"], 21);
}

TEST(PlanTest, ReplicateMoneyIsStepsTimesPaceTimesRate) {
  // 5 × 1000 steps × 2 s × 0.5 $/h = $1.389 with a tenth of spread each.
  const Json plan = MakePlan(Spec("", kMoney), [] {
    static const PlanInventory inventory = Inventory(1);
    return &inventory;
  }());
  EXPECT_NEAR(NumberAt(plan["cost"], "p50", 0), 5 * 1000 * 2.0 * 0.5 / 3600, 0.03);
  EXPECT_GT(NumberAt(plan["cost"], "p90", 0), NumberAt(plan["cost"], "p50", 0));
  EXPECT_EQ(plan["cost"]["currency"], "USD");
}

TEST(PlanTest, MoreWorkersEndSoonerAndCostTheSame) {
  const PlanInventory one = Inventory(1), five = Inventory(5);
  const ExperimentSpec spec = Spec("", kMoney);
  const Json slow = MakePlan(spec, &one), fast = MakePlan(spec, &five);
  const auto replicate_end = [](const Json& plan) {
    for (const Json& stage : plan["stages"]) {
      if (stage["name"] == "replicate") return NumberAt(stage["ends"], "p50", 0);
    }
    return 0.0;
  };
  EXPECT_NEAR(replicate_end(slow) / 10000, 1, 0.1);
  EXPECT_NEAR(replicate_end(fast) / 2000, 1.12, 0.1);  // the slowest of five
  EXPECT_NEAR(NumberAt(slow["cost"], "p50", 0), NumberAt(fast["cost"], "p50", 0), 1e-9);
}

TEST(PlanTest, TheSameFileAndInventoryGiveTheSamePlan) {
  const PlanInventory inventory = Inventory(2);
  const Json first = MakePlan(Spec(kAsha, kMoney), &inventory);
  const Json again = MakePlan(Spec(kAsha, kMoney), &inventory);
  EXPECT_EQ(first["cost"], again["cost"]);
  EXPECT_EQ(first["stages"], again["stages"]);
}

TEST(PlanTest, WhatNoWorkerHasIsUnplaceable) {
  const PlanInventory inventory = Inventory(2);
  const Json plan = MakePlan(Spec("", "resources: {gpus: 8, cpus: 1}\n"), &inventory);
  ASSERT_EQ(plan["unplaceable"].size(), 1u);
  EXPECT_THAT(plan["unplaceable"][0].get<std::string>(), HasSubstr("8 GPUs"));
}

TEST(PlanTest, ATaskOfSeveralRanksTakesAPlaceForEach) {
  const PlanInventory six = Inventory(6), one = Inventory(1);
  const Json solo = MakePlan(Spec("", kMoney), &six);
  const Json gang = MakePlan(Spec("", absl::StrCat(kMoney, "resources: {ranks: 2}\n")), &six);
  EXPECT_EQ(gang["slots"], IntegerAt(solo, "slots", 0) / 2);
  EXPECT_NEAR(NumberAt(gang["cost"], "p50", 0), 2 * NumberAt(solo["cost"], "p50", 0), 1e-9);
  const Json none = MakePlan(Spec("", "resources: {ranks: 9}\n"), &one);
  ASSERT_EQ(none["unplaceable"].size(), 1u);
  EXPECT_THAT(none["unplaceable"][0].get<std::string>(),
              testing::MatchesRegex("needs 9 ranks of 1 CPU slot at once: .* room for [0-9]+"));
}

TEST(PlanTest, CostAboveTheBudgetIsWarnedOf) {
  const PlanInventory inventory = Inventory(1);
  const Json plan =
      MakePlan(Spec("", "budget: {limit: 0.5, currency: USD, cpu_hour: 0.5}\n"), &inventory);
  EXPECT_THAT(plan["warnings"].dump(), HasSubstr("exceeds the budget"));
}

TEST(PlanTest, FiveSeedsAloneReachOneSixteenth) {
  const Json plan = MakePlan(Spec(""), nullptr);
  EXPECT_DOUBLE_EQ(NumberAt(plan["statistics"], "min_p", 0), 0.0625);
}

// A test set of so many clusters of three items each, and the plan's words about it.
struct Attainable {
  Json statistics, warnings;
  std::string text;
};
Attainable PlanFor(int clusters, int seeds, const std::string& gates) {
  std::string documents, items;
  for (int d = 0; d < clusters; ++d) {
    const std::string document = absl::StrCat("d", d);
    documents += corpus::DocumentJson(document).dump() + "\n";
    for (int i = 0; i < 3; ++i) {
      items +=
          corpus::With(corpus::ItemJson(absl::StrCat(document, "-", i), document), "split", "test");
    }
  }
  const corpus::CorpusOnDisk corpus({{"documents/a.jsonl", documents}, {"items/a.jsonl", items}});
  ExperimentSpec spec = Spec("");
  spec.data.emplace();
  spec.data->corpus = corpus.path();
  spec.evaluation.emplace();
  spec.replicate.seeds.assign(static_cast<size_t>(seeds), 1);
  if (gates.find("p") != gates.npos) spec.evaluation->gates.p_value = 0.05;
  if (gates.find("a") != gates.npos) spec.evaluation->gates.accuracy = 0.6;
  const Json plan = MakePlan(spec, nullptr);
  std::string text = RenderPlan(plan, spec, 1000, false);
  return {plan["statistics"], plan["warnings"], text};
}

TEST(PlanTest, SaysWhichPTheReportUsesAndFromWhichGainTheGateCanBeMet) {
  const Attainable plan = PlanFor(100, 5, "pa");
  const double effect = NumberAt(plan.statistics, "detectable_effect", 0);
  EXPECT_GT(effect, 0.02);
  EXPECT_LT(effect, 0.2);
  EXPECT_DOUBLE_EQ(NumberAt(plan.statistics, "p_gate_effect", 0), effect);  // of p < 0.05
  EXPECT_EQ(plan.statistics["nothing_detectable"], nullptr);
  EXPECT_THAT(plan.text, HasSubstr("the p gate can be met from a gain of about"));
  EXPECT_THAT(plan.text, HasSubstr("taken over clusters and seeds together and has no lowest value "
                                   "(paired seeds alone, 5 of them, could not go below p = 0.0625; "
                                   "no gate uses that)"));
  EXPECT_EQ(plan.warnings.dump().find("cannot be met"), std::string::npos);
}

TEST(PlanTest, WhatCannotBeDetectedIsNoNumber) {
  const struct {
    int clusters, seeds;
    const char* why;
  } rows[] = {{4, 5, "the items come from 4 clusters"},
              {12, 2, ""},
              {1, 1, "the items come from 1 cluster;"}};
  for (const auto& row : rows) {
    const Attainable plan = PlanFor(row.clusters, row.seeds, "pa");
    const bool nothing = row.why[0] != '\0';
    EXPECT_EQ(plan.statistics["detectable_effect"].is_null(), nothing) << row.clusters;
    EXPECT_EQ(plan.text.find("can detect +") == plan.text.npos, nothing) << plan.text;
    if (!nothing) continue;
    EXPECT_THAT(plan.text, HasSubstr(absl::StrCat("cannot detect any difference: ", row.why)));
    EXPECT_THAT(plan.text,
                HasSubstr(absl::StrCat("the gate p_value < 0.05 cannot be met: ", row.why)));
    EXPECT_THAT(plan.text, HasSubstr("the gate accuracy > 0.6 is out of reach"));
    EXPECT_TRUE(plan.statistics["accuracy_needed"].is_null());
    EXPECT_TRUE(plan.statistics["p_gate_effect"].is_null());
  }
}

TEST(PlanTest, TheTableFitsItsWidth) {
  const PlanInventory inventory = Inventory(2);
  const ExperimentSpec spec = Spec(kAsha, kMoney);
  Json plan = MakePlan(spec, &inventory);
  plan["warnings"].push_back(std::string("a warning of many words ") + std::string(90, 'w') +
                             " end");
  for (const int width : {120, 200}) {
    EXPECT_LE(WidestLine(RenderPlan(plan, spec, width, false)), width);
  }
  plan["warnings"].clear();
  const std::string text = RenderPlan(plan, spec, 80, false);
  EXPECT_LE(WidestLine(text), 80) << text;
  EXPECT_THAT(text, HasSubstr("100/300/1000"));
  EXPECT_THAT(text, HasSubstr("16 reach 100 · 5 reach 300 · 1 reach 1000"));
  EXPECT_THAT(text, HasSubstr("of $2.00"));
}

// What is not known is not zero: a stage that nothing has timed has no cost.
TEST(PlanTest, AnEvaluationCostsWhatTheLastOfItsModelDid) {
  ExperimentSpec spec = Spec("", kMoney);
  spec.stages = {StageKind::kReplicate, StageKind::kEvaluate, StageKind::kReport};
  spec.model.emplace();
  spec.model->base = "/m.gguf";
  spec.evaluation.emplace();
  PlanInventory inventory = Inventory(2);
  inventory.measured = {{"p", "/m.gguf", 4, 0, 1, 2.0}};
  const Json unknown = MakePlan(spec, &inventory);
  EXPECT_EQ(unknown["stages"][1]["tasks"], 6);  // the base and five seeds
  for (const int stage : {1, 2}) {
    EXPECT_TRUE(unknown["stages"][stage]["cost"].is_null());
    EXPECT_TRUE(unknown["stages"][stage]["ends"].is_null());
  }
  EXPECT_THAT(unknown["missing"].dump(), HasSubstr("how long an evaluation takes"));
  inventory.evaluated = {{"/other.gguf", 1.0}, {"/m.gguf", 600.0}};
  const Json known = MakePlan(spec, &inventory);
  EXPECT_NEAR(NumberAt(known["stages"][1]["cost"], "p50", 0), 6 * 600 * 0.5 / 3600, 0.03);
  EXPECT_NEAR(NumberAt(known["stages"][1]["ends"], "p50", 0) -
                  NumberAt(known["stages"][0]["ends"], "p50", 0),
              3 * 600, 200);  // three rounds of two
  EXPECT_TRUE(known["stages"][2]["cost"].is_null());
  EXPECT_EQ(known["missing"], Json::array());
}

TEST(PlanTest, SaysThePriceOfEveryKindOfGpuAndWarnsOfKeysThatNameNone) {
  PlanInventory inventory;
  const core::GpuKind a100{"A100", "NVIDIA A100-SXM4-80GB"}, l4{"L4", "NVIDIA L4"};
  inventory.workers = {{"w-1", 8, {{a100}, {a100}}, {}}, {"w-2", 8, {{l4}}, {}}};
  const std::string gpus = "resources: {gpus: 1, cpus: 1}\n";
  const ExperimentSpec spec =
      Spec("", gpus + "budget: {limit: 9, gpu_hour: {A100: 2.5, A10: 1.0, h200: 4.0}}\n");
  const Json plan = MakePlan(spec, &inventory);
  EXPECT_EQ(plan["gpu_prices"].dump(),
            R"([{"gpu":"NVIDIA A100-SXM4-80GB","model":"A100","key":"A100","gpu_hour":2.5},)"
            R"({"gpu":"NVIDIA L4","model":"L4","key":null,"gpu_hour":null}])");
  const std::string text = RenderPlan(plan, spec, 200, false);
  for (const char* line :
       {"price       NVIDIA A100-SXM4-80GB (A100): $2.50 an hour, by budget.gpu_hour.A100\n",
        "price       NVIDIA L4 (L4): no price, so nothing is started there",
        "budget.gpu_hour.A10 names none of the GPUs that workers have now: NVIDIA "
        "A100-SXM4-80GB, NVIDIA L4",
        "budget.gpu_hour.h200 names none"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, testing::Not(HasSubstr("gpu_hour.A100 names none")));
  // Nothing to price: no GPUs in the experiment, no coordinator.
  EXPECT_TRUE(MakePlan(Spec("", kMoney), &inventory)["gpu_prices"].is_null());
  EXPECT_TRUE(MakePlan(spec, nullptr)["gpu_prices"].is_null());
}

TEST(PlanTest, GpusThatAreTooSmallAreNoRoom) {
  constexpr int64_t kGib = int64_t{1} << 30;
  PlanInventory inventory;
  inventory.workers = {{"w-1", 8, {{{"A100", ""}, 80 * kGib}, {{"L4", ""}, 24 * kGib}}, {}},
                       {"w-2", 8, {{{"L4", ""}, 24 * kGib}}, {}}};
  const std::string budget = "budget: {limit: 90, gpu_hour: {A100: 2.5, L4: 1.0}}\n";
  const Json fits =
      MakePlan(Spec("", "resources: {gpus: 1, gpu_memory_gib: 40}\n" + budget), &inventory);
  EXPECT_EQ(fits["unplaceable"], Json::array()) << fits["unplaceable"];
  const Json none =
      MakePlan(Spec("", "resources: {gpus: 1, gpu_memory_gib: 81}\n" + budget), &inventory);
  EXPECT_THAT(none["unplaceable"].dump(),
              HasSubstr("needs 1 GPU of 81 GiB and 1 CPU slot on one worker: none of 2 has that"));
}

}  // namespace
}  // namespace scm::ctl
