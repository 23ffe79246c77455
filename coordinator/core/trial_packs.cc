#include "coordinator/core/trial_packs.h"

#include <algorithm>
#include <map>
#include <utility>

#include "experiment/parse.h"

namespace scm::core {
namespace {

// The values in which trials of one process agree, as one text.
std::string ShapeOf(const std::vector<std::string>& parting, const Json& point) {
  Json shape = Json::array();
  for (const std::string& parameter : parting) shape.push_back(MemberAt(point, parameter));
  return DumpJson(shape);
}

// Trials of one shape, in as few tasks as the size allows, whose sizes differ by one at most.
void Divide(const std::vector<size_t>& trials, int64_t most, Packs& packs) {
  const size_t size = static_cast<size_t>(std::max<int64_t>(most, 1));
  const size_t tasks = (trials.size() + size - 1) / size;
  for (size_t task = 0; task < tasks; ++task) {
    packs.emplace_back(trials.begin() + task * trials.size() / tasks,
                       trials.begin() + (task + 1) * trials.size() / tasks);
  }
}

}  // namespace

Packs PacksOfTrials(const ExperimentSpec& spec, const std::vector<Json>& points) {
  Packs packs;
  if (!spec.sweep->packed.value_or(false)) {
    for (size_t trial = 0; trial < points.size(); ++trial) packs.push_back({trial});
    return packs;
  }
  const std::vector<std::string> parting = PartingParameters(spec);
  std::map<std::string, std::vector<size_t>> alike;
  for (size_t trial = 0; trial < points.size(); ++trial) {
    alike[ShapeOf(parting, points[trial])].push_back(trial);
  }
  for (const auto& [shape, trials] : alike) Divide(trials, spec.sweep->pack_size, packs);
  std::sort(packs.begin(), packs.end());  // no two have a trial in common
  return packs;
}

std::vector<std::string> PartingParameters(const ExperimentSpec& spec) {
  std::vector<std::string> parting;
  for (const auto& [parameter, space] : spec.sweep->space) {
    if (PartsTrials(spec.trainer, parameter)) parting.push_back(parameter);
  }
  return parting;
}

}  // namespace scm::core
