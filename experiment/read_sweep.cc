// The sections that say which runs there are and which are stopped: sweep, replicate, abort.
#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "experiment/parameters.h"
#include "experiment/read.h"
#include "experiment/scalar.h"

namespace scm::experiment_file {
namespace {

constexpr int64_t kMostTrials = 10000;
constexpr size_t kMostSeeds = 1000;
constexpr size_t kLongestMetricName = 64;  // longer ones are not kept by the coordinator

const Words& Distributions() {
  static const auto* const words =
      new Words{{"log_uniform", "uniform", "int_uniform", "choice"}, {"normal", "log_normal"}};
  return *words;
}

// One dimension of the space while it is read.
struct Dimension {
  const TrainerSpec& trainer;
  Findings& findings;
  const std::string key;   // "training.learning_rate"
  const std::string path;  // "sweep.space.training.learning_rate"
  const Place place;

  std::optional<ParameterSpace> Fail(std::string message) const {
    findings.Error(place, path, std::move(message));
    return std::nullopt;
  }
  // False if the parameter cannot take this value (reported).
  bool Accepts(const Json& value) const {
    const std::string wrong = WrongValue(trainer, key, value);
    if (!wrong.empty()) Fail(wrong);
    return wrong.empty();
  }
};

template <typename Number>
bool ReadBounds(const Dimension& dimension, const std::string& name, const Node& node,
                std::optional<Number> (*as_number)(const Node&), Number& low, Number& high) {
  const std::string example = name == "int_uniform" ? "[8, 64]" : "[1.0e-5, 1.0e-3]";
  std::optional<Number> first, second;
  if (node.kind == NodeKind::kList && node.items.size() == 2) {
    first = as_number(*node.items[0]);
    second = as_number(*node.items[1]);
  }
  if (!first || !second) {
    dimension.Fail(absl::StrCat("expected ", name, ": ", example, ", the lowest and the highest ",
                                name == "int_uniform" ? "whole number" : "number"));
    return false;
  }
  if (*first >= *second) {
    dimension.Fail(absl::StrCat("the low end ", *first, " must be below the high end ", *second));
    return false;
  }
  low = *first;
  high = *second;
  return true;
}

std::optional<ParameterSpace> ReadChoice(const Dimension& dimension, const Node& node) {
  if (node.kind != NodeKind::kList || node.items.empty()) {
    return dimension.Fail(absl::StrCat("expected choice: [2, 4, 8], ", Found(node)));
  }
  Choice choice;
  for (const NodePtr& item : node.items) {
    Json value = ToJson(*item);
    if (!dimension.Accepts(value)) return std::nullopt;
    if (std::find(choice.values.begin(), choice.values.end(), value) != choice.values.end()) {
      return dimension.Fail(absl::StrCat(DumpJson(value), " is listed twice"));
    }
    choice.values.push_back(std::move(value));
  }
  return choice;
}

std::optional<ParameterSpace> ReadRange(const Dimension& dimension, ParameterType type,
                                        const std::string& name, const Node& node) {
  if (type == ParameterType::kWord || type == ParameterType::kList) {
    return dimension.Fail("takes no number; use choice: […]");
  }
  if (name == "int_uniform") {
    IntUniform range;
    if (!ReadBounds<int64_t>(dimension, name, node, AsInteger, range.low, range.high) ||
        !dimension.Accepts(range.low) || !dimension.Accepts(range.high)) {
      return std::nullopt;
    }
    return range;
  }
  if (type == ParameterType::kInteger) {
    return dimension.Fail("takes whole numbers; use int_uniform: [low, high] or choice: […]");
  }
  double low, high;
  if (!ReadBounds<double>(dimension, name, node, AsNumber, low, high)) return std::nullopt;
  if (name == "log_uniform" && low <= 0) {
    return dimension.Fail(absl::StrCat("log_uniform needs a low end above 0, found ", low,
                                       ". Use uniform, or raise it"));
  }
  if (!dimension.Accepts(low) || !dimension.Accepts(high)) return std::nullopt;
  if (name == "log_uniform") return LogUniform{low, high};
  return Uniform{low, high};
}

std::optional<ParameterSpace> ReadDimension(const Dimension& dimension, const Node& node) {
  const std::optional<ParameterType> type = SweepableType(dimension.trainer, dimension.key);
  if (!type) return dimension.Fail(WhyNotSweepable(dimension.trainer, dimension.key));
  if (node.kind != NodeKind::kMap || node.entries.size() != 1) {
    return dimension.Fail(
        absl::StrCat("expected one of log_uniform: [low, high], uniform: [low, "
                     "high], int_uniform: [low, high] or choice: [values], ",
                     Found(node)));
  }
  const Entry& entry = node.entries[0];
  const std::vector<std::string>& known = Distributions().allowed;
  if (std::find(known.begin(), known.end(), entry.key) == known.end()) {
    return dimension.Fail(UnknownWord(entry.key, Distributions()));
  }
  if (entry.key == "choice") return ReadChoice(dimension, *entry.value);
  return ReadRange(dimension, *type, entry.key, *entry.value);
}

void ReadSpace(Section& sweep, const TrainerSpec& trainer, SweepSpec& spec) {
  Section section = sweep.Sub("space");
  if (!section.present()) {
    if (!sweep.findings().Failed("sweep.space")) {
      sweep.Missing("space",
                    "Say what to vary, as in space: {training.learning_rate: "
                    "{log_uniform: [5.0e-5, 1.0e-3]}}");
    }
    return;
  }
  if (section.node()->entries.empty()) {
    sweep.findings().ErrorAt("sweep.space", "is empty: there is nothing to search");
  }
  for (const Entry& entry : section.node()->entries) {
    const Dimension dimension{trainer, sweep.findings(), entry.key, section.PathOf(entry.key),
                              entry.place};
    std::optional<ParameterSpace> space = ReadDimension(dimension, *entry.value);
    if (space) spec.space.emplace_back(entry.key, *std::move(space));
  }
}

void ReadMetric(Section& section, const TrainerSpec& trainer, SweepSpec& sweep) {
  if (trainer.built_in()) {
    section.Read("metric", sweep.metric, Words{{"validation_loss", "validation_accuracy"}});
  } else {
    section.Read("metric", sweep.metric);
    if (sweep.metric.size() > kLongestMetricName) {
      section.findings().ErrorAt("sweep.metric",
                                 absl::StrCat("a metric's name has at most ", kLongestMetricName,
                                              " characters, this one has ", sweep.metric.size()));
    }
  }
  const std::string better = sweep.metric == "validation_accuracy" ? "max" : "min";
  sweep.mode = better;
  const bool given = section.Read("mode", sweep.mode, Words{{"min", "max"}});
  const bool known = sweep.metric == "validation_loss" || sweep.metric == "validation_accuracy";
  if (!given && !known && !section.findings().Failed("sweep.mode")) {
    section.findings().WarningAt(
        "sweep.metric", absl::StrCat("the trial with the lowest ", sweep.metric,
                                     " wins; write mode: min to say so, or mode: max if higher is "
                                     "better"));
  }
  if (known && sweep.mode != better) {
    section.findings().ErrorAt(
        "sweep.mode", absl::StrCat(sweep.mode, " would pick the worst trial: ", sweep.metric,
                                   " needs mode ", better));
  }
}

}  // namespace

void ReadSweep(Section& top, const TrainerSpec& trainer, ExperimentSpec& spec) {
  Presence presence;
  Section section = top.Sub("sweep", presence);
  if (presence != Presence::kGiven) return;
  SweepSpec sweep;
  section.Read("search", sweep.search,
               Words{{"asha", "random", "grid"}, {"hyperband", "tpe", "bohb", "pbt", "bayesian"}});
  ReadMetric(section, trainer, sweep);
  section.Read("max_trials", sweep.max_trials, {1, kMostTrials});
  section.Read("rungs", sweep.rungs, kCount);
  section.Read("eta", sweep.eta, {2, 1000});
  section.Read("seed", sweep.seed, kSeed);
  ReadSpace(section, trainer, sweep);
  section.Finish();
  spec.sweep = std::move(sweep);
}

void ReadReplicate(Section& top, ReplicateSpec& replicate) {
  Presence presence;
  Section section = top.Sub("replicate", presence);
  if (presence != Presence::kGiven) return;
  section.Read("seeds", replicate.seeds, kSeed);
  if (replicate.seeds.size() > kMostSeeds) {
    section.findings().ErrorAt(
        "replicate.seeds", absl::StrCat(replicate.seeds.size(), " seeds; at most ", kMostSeeds));
  }
  section.Finish();
}

void ReadAbort(Section& top, AbortSpec& abort) {
  Section section = top.Sub("abort");
  Presence presence;
  Section no_convergence = section.Sub("no_convergence", presence);
  if (presence == Presence::kNone) abort.no_convergence.reset();
  if (presence == Presence::kGiven) {
    no_convergence.Read("after_step", abort.no_convergence->after_step, kCount);
    no_convergence.Read("min_loss_reduction", abort.no_convergence->min_loss_reduction,
                        kOpenFraction);
    no_convergence.Finish();
  }
  Section below_random = section.Sub("below_random", presence);
  if (presence == Presence::kNone) abort.below_random.reset();
  if (presence == Presence::kGiven) {
    below_random.Read("after_step", abort.below_random->after_step, kCount);
    below_random.Read("false_abort", abort.below_random->false_abort, kOpenFraction);
    below_random.Finish();
  }
  const Node* non_finite = section.Child("non_finite", presence);
  if (presence == Presence::kNone) abort.non_finite = false;
  if (non_finite != nullptr) section.Read("non_finite", abort.non_finite);
  Section stalled = section.Sub("stalled", presence);
  if (presence == Presence::kNone) abort.stalled.reset();
  if (presence == Presence::kGiven) {
    stalled.Read("minutes", abort.stalled->minutes, kPositive);
    stalled.Finish();
  }
  section.Finish();
}

}  // namespace scm::experiment_file
