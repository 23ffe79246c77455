// Which parameters a sweep may vary, and what their values may be.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/json.h"
#include "experiment/key_list.h"
#include "experiment/spec.h"

namespace scm::experiment_file {

// Type of a dotted key, nullopt if it cannot be swept. With a trainer of one's own anything below
// lora, data and trainer.parameters can be, of any type; with the built-in one only what it trains
// by.
std::optional<ParameterType> SweepableType(const TrainerSpec& trainer, const std::string& key);

// Why `key` cannot be swept, with the nearest one that can.
std::string WhyNotSweepable(const TrainerSpec& trainer, const std::string& key);

// What is wrong with one value of a sweepable key by itself, or "".
std::string WrongValue(const TrainerSpec& trainer, const std::string& key, const Json& value);

}  // namespace scm::experiment_file
