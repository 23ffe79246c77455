#include "experiment/read_space.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "experiment/parameters.h"
#include "experiment/scalar.h"
#include "experiment/words.h"

namespace scm::experiment_file {
namespace {

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

}  // namespace

void ReadSpace(const SectionReader& section, const TrainerSpec& trainer, SearchSpace& space) {
  if (section.node()->entries.empty()) {
    section.findings().ErrorAt(section.path(), "is empty: there is nothing to search");
  }
  for (const Entry& entry : section.node()->entries) {
    const Dimension dimension{trainer, section.findings(), entry.key, section.PathOf(entry.key),
                              entry.place};
    std::optional<ParameterSpace> range = ReadDimension(dimension, *entry.value);
    if (range) space.emplace_back(entry.key, *std::move(range));
  }
}

}  // namespace scm::experiment_file
