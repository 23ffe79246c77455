// The readers of the sections: file to typed values, each key judged by itself. What needs two keys
// is in checks.h, what needs the file system in path_checks.h.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "experiment/reader.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// `base` is the directory that relative paths start from.
void ReadTrainer(Section& top, const std::string& base, TrainerSpec& trainer);
// For the built-in trainer.
void ReadModel(Section& top, const std::string& base, ExperimentSpec& spec);
void ReadData(Section& top, const std::string& base, ExperimentSpec& spec);
void ReadLora(Section section, LoraSpec& lora);
// For another trainer: model, data and lora as they are.
void ReadOpaqueSections(Section& top, ExperimentSpec& spec);
void ReadTraining(Section section, TrainingSpec& training);

// `trainer`: with the built-in one the metrics and the parameters are known.
void ReadSweep(Section& top, const TrainerSpec& trainer, ExperimentSpec& spec);
void ReadReplicate(Section& top, ReplicateSpec& replicate);
void ReadAbort(Section& top, AbortSpec& abort);

void ReadBudget(Section& top, ExperimentSpec& spec);
void ReadTimeline(Section& top, ExperimentSpec& spec);
void ReadResources(Section& top, ResourcesSpec& resources);
void ReadEvaluation(Section& top, const std::string& base, ExperimentSpec& spec);
void ReadExport(Section& top, ExperimentSpec& spec);

// The names in a list of tasks, added to `tasks`; what is no name, or there twice, is an error at
// its place.
void TakeTaskNames(const Node& list, const std::string& path, Findings& findings,
                   std::vector<std::string>& tasks);

// Reads a path and makes it absolute.
bool ReadPath(Section& section, const std::string& key, const std::string& base, std::string& path);

}  // namespace scm::experiment_file
