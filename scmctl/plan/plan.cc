#include "scmctl/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/human.h"
#include "common/trainer_command.h"
#include "coordinator/core/cost.h"
#include "coordinator/core/fit.h"
#include "coordinator/core/stage_needs.h"
#include "scmctl/plan/attainable.h"
#include "scmctl/plan/gpu_prices.h"
#include "scmctl/plan/stage_steps.h"

namespace scm::ctl {
namespace {

constexpr int kDraws = 1000;
// Speed differs between runs of one kind on one kind of machine: log-normal, a tenth either way.
constexpr double kSpeedSpread = 0.1;

struct Quantiles {
  double p50 = 0, p90 = 0;
};

Quantiles QuantilesOf(std::vector<double> draws) {
  std::sort(draws.begin(), draws.end());
  const auto at = [&](double q) { return draws[static_cast<size_t>(q * (draws.size() - 1))]; };
  return {at(0.5), at(0.9)};
}

Json QuantilesJson(const std::vector<double>& draws) {
  const Quantiles q = QuantilesOf(draws);
  return {{"p50", q.p50}, {"p90", q.p90}};
}

// Ranks that can run at once, and money an hour of one of them; nullopt without a price.
struct Placement {
  int64_t places = 0;
  std::optional<double> hourly;
  std::vector<std::string> failures;

  // Tasks that can run at once. A task takes a place for each of its ranks, on whichever workers.
  int64_t Slots(int64_t ranks) const { return places / std::max<int64_t>(1, ranks); }
};

// "2 CPU slots", "1 GPU and 2 CPU slots", "0.5 of a GPU and 2 CPU slots": what one rank holds.
std::string NeedsText(const ResourcesSpec& wants) {
  const std::string slots = absl::StrCat(wants.cpus, wants.cpus == 1 ? " CPU slot" : " CPU slots");
  if (wants.gpus == 0) return slots;
  const bool share = core::GpusOf(wants).IsShare();
  const std::string memory = wants.gpu_memory_gib > 0 ? absl::StrCat(share ? " with " : " of ",
                                                                     wants.gpu_memory_gib, " GiB")
                                                      : "";
  const char* gpus = share ? " of a GPU" : wants.gpus == 1 ? " GPU" : " GPUs";
  return absl::StrCat(wants.gpus, gpus, memory, " and ", slots);
}

Placement Place(const ExperimentSpec& spec, const PlanInventory& inventory) {
  Placement placement;
  const ResourcesSpec& wants = spec.resources;
  int64_t ready = 0, willing = 0;
  std::string refused;
  for (const PlanWorker& worker : inventory.workers) {
    if (!worker.ready) continue;
    ++ready;
    const std::string word = WordNotAllowed(spec.trainer.command, worker.trainers);
    if (!word.empty()) {
      refused = NoWorkerAllows(word);
      continue;
    }
    ++willing;
    std::vector<int64_t> memory;
    for (const PlanGpu& gpu : worker.gpus) memory.push_back(gpu.memory_bytes);
    const int64_t fit = core::RanksThatFit(wants, worker.cpus, memory);
    placement.places += fit;
    if (fit == 0 || !spec.budget) continue;
    const core::GpuRequest gpus = core::GpusOf(wants);
    core::HeldResources held{{}, wants.cpus, /*beside_gpus=*/false, core::ShareOf(gpus)};
    for (const PlanGpu& gpu : worker.gpus) {
      if (static_cast<int64_t>(held.gpus.size()) == gpus.count) break;
      if (core::GpuSuits(gpus, gpu.memory_bytes)) held.gpus.push_back(gpu.kind);
    }
    const auto rate = core::HourlyRate(held, *spec.budget);
    if (rate.ok()) placement.hourly = std::max(placement.hourly.value_or(0), *rate);
  }
  for (RefusedProgram& program : RefusedPrograms(spec, inventory)) {
    placement.failures.push_back(std::move(program.message));
    placement.places = 0;
  }
  if (!placement.failures.empty() || placement.Slots(wants.ranks) > 0) return placement;
  const std::string needs = NeedsText(wants);
  if (willing == 0 && ready > 0) {
    placement.failures.push_back(absl::StrCat(refused, " (one that does is not ready)"));
  } else if (ready == 0) {
    placement.failures.push_back(absl::StrCat("needs ", needs,
                                              " on one worker, and no worker is ready: `scmctl "
                                              "workers ls` lists them"));
  } else if (placement.places == 0) {
    placement.failures.push_back(
        absl::StrCat("needs ", needs, " on one worker: none of ", ready, " has that much"));
  } else {
    placement.failures.push_back(absl::StrCat("needs ", wants.ranks, " ranks of ", needs,
                                              " at once: the ready workers have room for ",
                                              placement.places));
  }
  return placement;
}

// Latest measurement of the same model, batch and resources; else of the same model.
std::optional<double> PaceOf(const ExperimentSpec& spec, const PlanInventory& inventory) {
  const core::GpuRequest gpus = core::GpusOf(spec.resources);
  std::optional<double> pace;
  for (const bool exact : {false, true}) {
    for (const PlanInventory::Measured& m : inventory.measured) {
      const bool same_model = spec.model ? m.model == spec.model->base : m.experiment == spec.name;
      const bool same_shape = m.batch_size == spec.training.batch_size && m.gpus == gpus.count &&
                              m.gpu_share == core::ShareOf(gpus) && m.cpus == spec.resources.cpus;
      if (same_model && (same_shape || !exact)) pace = m.seconds_per_step;
    }
  }
  return pace;
}

// What was measured of each unit of work; nullopt where nothing was.
struct Speeds {
  std::optional<double> step, evaluation;

  // Seconds of one task; nullopt where its unit was never measured.
  std::optional<double> Task(core::WorkUnit unit, double steps) const {
    switch (unit) {
      case core::WorkUnit::kSteps:
        return step ? std::optional<double>(steps * *step) : std::nullopt;
      case core::WorkUnit::kModels:
        return evaluation;
      case core::WorkUnit::kUnmeasured:
        return std::nullopt;
    }
    return std::nullopt;
  }
};

std::optional<double> EvaluationOf(const ExperimentSpec& spec, const PlanInventory& inventory) {
  std::optional<double> seconds;
  for (const PlanInventory::Evaluated& one : inventory.evaluated) {
    if (spec.model && one.model == spec.model->base) seconds = one.seconds;
  }
  return seconds;
}

// Wall seconds of tasks of these lengths on `slots` equal places, longest first.
double ListSchedule(std::vector<double> seconds, int64_t slots) {
  std::sort(seconds.rbegin(), seconds.rend());
  std::vector<double> busy(std::max<int64_t>(1, slots), 0);
  for (const double task : seconds) *std::min_element(busy.begin(), busy.end()) += task;
  return *std::max_element(busy.begin(), busy.end());
}

Json StagesJson(const ExperimentSpec& spec, const Speeds& speeds, const Placement* placement,
                Json* cost, Json* finish) {
  const size_t stages = spec.stages.size();
  std::vector<std::vector<double>> money(stages), ends(stages);
  std::vector<double> total_money, total_wall;
  std::vector<core::StageWork> work;
  for (const StageKind stage : spec.stages) work.push_back(core::NeedsOf(stage).work(spec));
  std::vector<std::vector<double>> steps(stages);  // of the tasks of each stage
  for (int draw = 0; draw < kDraws; ++draw) {
    Philox rng(1, "plan", draw);
    for (size_t s = 0; s < stages; ++s) steps[s] = DrawSteps(work[s], rng);
    double wall = 0, sum = 0;
    for (size_t s = 0; speeds.step && placement && s < stages; ++s) {
      std::vector<double> seconds;
      for (const double of_task : steps[s]) {
        const double spread = std::exp(kSpeedSpread * rng.Normal());
        seconds.push_back(speeds.Task(work[s].unit, of_task).value_or(0) * spread);
      }
      const int64_t ranks = core::RanksOf(spec, spec.stages[s]);
      wall += ListSchedule(seconds, placement->Slots(ranks));
      const double rate = static_cast<double>(ranks) * placement->hourly.value_or(0) / 3600;
      double stage_money = 0;
      for (const double one : seconds) stage_money += one * rate;
      money[s].push_back(stage_money);
      ends[s].push_back(wall);
      sum += stage_money;
    }
    total_money.push_back(sum);
    total_wall.push_back(wall);
  }
  const bool known = speeds.step && placement;
  const bool priced = known && placement->hourly;
  Json list = Json::array();
  for (size_t s = 0; s < stages; ++s) {
    double longest = 0;
    for (const double of_task : steps[s]) longest = std::max(longest, of_task);
    const bool timed = known && speeds.Task(work[s].unit, 0);
    list.push_back({{"name", StageName(spec.stages[s])},
                    {"tasks", work[s].tasks},
                    {"steps", longest > 0 ? Json(std::llround(longest)) : Json(nullptr)},
                    {"cost", timed && priced ? QuantilesJson(money[s]) : Json(nullptr)},
                    {"ends", timed ? QuantilesJson(ends[s]) : Json(nullptr)}});
  }
  if (priced) {
    *cost = QuantilesJson(total_money);
    (*cost)["currency"] = spec.budget->currency;
  }
  if (known) {
    const Quantiles wall = QuantilesOf(total_wall);
    const absl::Time now = absl::Now();
    *finish = {{"p50", Rfc3339(now + absl::Seconds(wall.p50))},
               {"p90", Rfc3339(now + absl::Seconds(wall.p90))}};
  }
  return list;
}

void Warn(const ExperimentSpec& spec, const Json& cost, const Json& finish, Json& warnings) {
  if (spec.budget && cost.is_object() && NumberAt(cost, "p90", 0) > spec.budget->limit) {
    warnings.push_back(absl::StrCat(
        "the P90 cost ", HumanMoney(NumberAt(cost, "p90", 0), spec.budget->currency),
        " exceeds the budget of ", HumanMoney(spec.budget->limit, spec.budget->currency)));
  }
  if (!spec.timeline) return;
  const absl::Time due = absl::FromCivil(spec.timeline->finish_by + 1, absl::UTCTimeZone());
  absl::Time p90 = absl::Now();
  std::string error;
  if (finish.is_object())
    absl::ParseTime(absl::RFC3339_full, StringAt(finish, "p90"), &p90, &error);
  if (p90 > due) {
    warnings.push_back(absl::StrCat("finish_by is ", HumanDuration(p90 - due), " too early"));
  }
}

}  // namespace

std::vector<RefusedProgram> RefusedPrograms(const ExperimentSpec& spec,
                                            const PlanInventory& inventory) {
  std::vector<RefusedProgram> refused;
  // With nobody there it is not known who will come, and what it will allow.
  if (std::none_of(inventory.workers.begin(), inventory.workers.end(),
                   [](const PlanWorker& worker) { return worker.ready; })) {
    return refused;
  }
  const auto need = [&](const std::string& key, const std::vector<std::string>& command) {
    std::string word;
    for (const PlanWorker& worker : inventory.workers) {
      const std::string missing = WordNotAllowed(command, worker.trainers);
      if (missing.empty()) return;
      word = missing;
    }
    if (!word.empty()) refused.push_back({key, NoWorkerAllows(word)});
  };
  need("trainer.command", spec.trainer.command);
  std::set<std::vector<std::string>> asked = {spec.trainer.command};
  for (const StageKind stage : spec.stages) {
    const std::vector<std::string> command = core::NeedsOf(stage).command(spec);
    if (asked.insert(command).second) need("stages", command);
  }
  return refused;
}

PlanInventory InventoryFromJson(const Json& answer) {
  PlanInventory inventory;
  for (const Json& worker : MemberAt(answer, "workers")) {
    PlanWorker one;
    one.id = StringAt(worker, "id");
    one.cpus = IntegerAt(worker, "cpus", 0);
    one.ready = StringAt(worker, "state") == "READY";
    for (const Json& trainer : MemberAt(worker, "trainers")) {
      if (trainer.is_string()) one.trainers.push_back(trainer.get<std::string>());
    }
    for (const Json& gpu : MemberAt(worker, "gpus")) {
      one.gpus.push_back(
          {{StringAt(gpu, "model"), StringAt(gpu, "product")}, IntegerAt(gpu, "memory_bytes", 0)});
    }
    inventory.workers.push_back(std::move(one));
  }
  for (const Json& m : MemberAt(answer, "measured")) {
    inventory.measured.push_back({StringAt(m, "experiment"), StringAt(m, "model"),
                                  IntegerAt(m, "batch_size", 0), IntegerAt(m, "gpus", 0),
                                  IntegerAt(m, "cpus", 0), NumberAt(m, "seconds_per_step", 0),
                                  NumberAt(m, "gpu_share", 1)});
  }
  for (const Json& e : MemberAt(answer, "evaluated")) {
    inventory.evaluated.push_back({StringAt(e, "model"), NumberAt(e, "seconds", 0)});
  }
  return inventory;
}

Json MakePlan(const ExperimentSpec& spec, const PlanInventory* inventory) {
  Json warnings = Json::array(), missing = Json::array();
  std::optional<Placement> placement;
  Speeds speeds;
  if (inventory == nullptr) {
    missing.push_back("a coordinator: placement, cost and finish need its workers and speeds");
  } else {
    placement = Place(spec, *inventory);
    speeds = {PaceOf(spec, *inventory), EvaluationOf(spec, *inventory)};
    const bool evaluates =
        std::any_of(spec.stages.begin(), spec.stages.end(), [&](StageKind stage) {
          return core::NeedsOf(stage).work(spec).unit == core::WorkUnit::kModels;
        });
    if (!speeds.step) {
      missing.push_back("a measured speed: run the `check` stage once for cost and finish");
    } else if (evaluates && !speeds.evaluation) {
      missing.push_back(
          "how long an evaluation takes, which is known once this model was evaluated; cost and "
          "finish leave it out");
    }
  }
  const int64_t slots = placement ? placement->Slots(spec.resources.ranks) : 0;
  const bool placed = slots > 0;
  Json cost, finish;
  const Json stages = StagesJson(spec, speeds, placed ? &*placement : nullptr, &cost, &finish);
  int64_t tasks = 0;
  for (const Json& stage : stages) tasks += IntegerAt(stage, "tasks", 0);
  Json rungs = Json::array();
  for (const RungRow& row : RungTable(spec)) {
    rungs.push_back({{"step", row.step}, {"trials", row.trials}});
  }
  const Json statistics = AttainableStatistics(spec, warnings);
  Warn(spec, cost, finish, warnings);
  const Json gpu_prices = GpuPrices(spec, inventory, warnings);
  return {{"name", spec.name},
          {"tasks", tasks},
          {"stages", stages},
          {"rungs", rungs},
          {"cost", cost.is_null() ? Json{{"p50", nullptr},
                                         {"p90", nullptr},
                                         {"currency", spec.budget ? Json(spec.budget->currency)
                                                                  : Json(nullptr)}}
                                  : cost},
          {"finish", finish.is_null() ? Json{{"p50", nullptr}, {"p90", nullptr}} : finish},
          {"unplaceable", placement ? Json(placement->failures) : Json(nullptr)},
          {"slots", placement ? Json(slots) : Json(nullptr)},
          {"gpu_prices", gpu_prices},
          {"statistics", statistics},
          {"warnings", warnings},
          {"missing", missing}};
}

}  // namespace scm::ctl
