// What a stage needs of the cluster before anything of it exists: the program, the GPUs and the
// work of its tasks. It follows from the experiment file alone, so that `scmctl plan` counts with
// the facts by which the coordinator commands, places and forecasts. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/task_kind.h"
#include "coordinator/core/forecast.h"
#include "coordinator/core/trial_packs.h"
#include "experiment/spec.h"

namespace scm::core {

// What the tasks of a stage are counted in; a measured speed of the same unit makes it time.
enum class WorkUnit {
  kSteps,       // optimiser steps
  kModels,      // models that are scored, one a task
  kUnmeasured,  // nothing says beforehand how long it takes
};

struct StageWork {
  WorkUnit unit = WorkUnit::kUnmeasured;
  int64_t tasks = 1;
  // Of kSteps: where a task may end, ascending. At all but the last it goes on only if it is among
  // the best 1/eta of those that came so far (stopping ASHA).
  std::vector<int64_t> ends = {};
  int64_t eta = 0;  // of a sweep; 0: no task competes with another
  // Where trials share tasks: those of each task, which take turns in it. `ends` and `eta` are then
  // those of a trial. Empty: one each.
  Packs packs = {};

  // What competes and ends: trials, or tasks where they are the same.
  int64_t Runs() const;
};

// How far each of its runs goes; nowhere where the work is not counted in steps.
StepsToEnds StepsOf(const StageWork& work);

struct StageNeeds {
  StageKind stage;
  TaskKind task;    // what each of its tasks is
  bool holds_gpus;  // whether its tasks get the GPUs of the section `resources`
  bool gang;        // whether they are carried out by all of its ranks, not by one process
  std::vector<std::string> (*command)(const ExperimentSpec& spec);  // argv of its tasks' program
  StageWork (*work)(const ExperimentSpec& spec);
};
// One row a stage.
const StageNeeds& NeedsOf(StageKind stage);

// Ranks of an attempt at one of its tasks, and GPUs of which each of them holds something.
int64_t RanksOf(const ExperimentSpec& spec, StageKind stage);
int64_t GpusOf(const ExperimentSpec& spec, StageKind stage);

}  // namespace scm::core
