// What an experiment will do, cost and be able to show, before it runs. Pure but for reading the
// corpus. Every forecast is a Monte-Carlo over rung survival and speed, from a fixed Philox stream,
// so the same file and inventory give the same plan.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "coordinator/core/cost.h"
#include "experiment/spec.h"

namespace scm::ctl {

struct PlanGpu {
  core::GpuKind kind;
  int64_t memory_bytes = 0;
};

struct PlanWorker {
  std::string id;
  int64_t cpus = 0;
  std::vector<PlanGpu> gpus;
  std::vector<std::string> trainers = {};  // programs it may start; empty: it does not say
  bool ready = true;
};

// What a reachable coordinator knows.
struct PlanInventory {
  std::vector<PlanWorker> workers;  // in whatever state
  struct Measured {
    std::string experiment, model;
    int64_t batch_size = 0, gpus = 0, cpus = 0;
    double seconds_per_step = 0;
    double gpu_share = 1;
  };
  std::vector<Measured> measured;  // latest last
  struct Evaluated {
    std::string model;
    double seconds = 0;  // one model of its experiment
  };
  std::vector<Evaluated> evaluated;  // latest last
};

// From the coordinator's answer to INVENTORY.
PlanInventory InventoryFromJson(const Json& answer);

// A program that the experiment needs and that none of the workers, ready or not, may start. None
// while no worker is ready.
struct RefusedProgram {
  std::string key;      // of the experiment file
  std::string message;  // what to do about it
};
std::vector<RefusedProgram> RefusedPrograms(const ExperimentSpec& spec,
                                            const PlanInventory& inventory);

// The shape of the command contract. Without an inventory, or without a measured speed, cost,
// finish and unplaceable are null, and "missing" says what is lacking.
Json MakePlan(const ExperimentSpec& spec, const PlanInventory* inventory);

// The table for people; fits `width` columns.
std::string RenderPlan(const Json& plan, const ExperimentSpec& spec, int width, bool colour);

}  // namespace scm::ctl
