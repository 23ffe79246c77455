// What an attempt that runs out of memory says: what it was to take, by kind, what was free, and
// with which settings it would have fitted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/llama_config.h"
#include "trainer/compute/memory_plan.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// The runs that a process trains, as memory sees them. `device` is "cpu" or "cuda:0". Pure.
TrainingShape TrainingShapeOf(const std::vector<const JobSpec*>& runs,
                              const model::LlamaConfig& config, const std::string& device);

// One or more sentences, to stand behind "out of memory: …". `free`: bytes that there were when the
// process began to fill them; nullopt where the system does not tell. `table` as in PlanMemory.
// Pure.
std::string MemoryAnswer(const std::vector<const JobSpec*>& runs, const model::LlamaConfig& config,
                         const std::string& device, std::optional<int64_t> free,
                         const CpuFunctions* table);

// What this process may still take on `device`: of a GPU what is free there, on the CPU the least
// of what the machine has, its control group leaves and the limits of the process leave (Linux).
std::optional<int64_t> FreeMemory(const std::string& device);

}  // namespace scm::trainer
