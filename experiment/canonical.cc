// The canonical JSON of a spec: every key with its value, in the order of the descriptions.
#include <type_traits>

#include "experiment/describe.h"
#include "experiment/parse.h"

namespace scm {
namespace experiment_file {
namespace {

// A list of two is an array of arrays to nlohmann, or an object if the first looks like a key: say
// which.
Json RangeToJson(const char* name, const Json& low, const Json& high) {
  Json range = Json::object();
  range[name] = Json::array({low, high});
  return range;
}

Json SpaceToJson(const ParameterSpace& space) {
  return std::visit(
      [](const auto& range) -> Json {
        using Range = std::decay_t<decltype(range)>;
        if constexpr (std::is_same_v<Range, Choice>) {
          Json choice = Json::object();
          choice["choice"] = range.values;
          return choice;
        } else if constexpr (std::is_same_v<Range, LogUniform>) {
          return RangeToJson("log_uniform", range.low, range.high);
        } else if constexpr (std::is_same_v<Range, Uniform>) {
          return RangeToJson("uniform", range.low, range.high);
        } else {
          return RangeToJson("int_uniform", range.low, range.high);
        }
      },
      space);
}

// The visitor. What is absent is null.
class JsonWriter {
 public:
  template <typename T, typename... Rule>
  void Field(const Key& key, const T& value, const Rule&...) {
    json_[key.name] = value;
  }
  void Field(const Key& key, const std::optional<double>& value, const NumberRule&) {
    json_[key.name] = value ? Json(*value) : Json(nullptr);
  }
  void Field(const Key& key, const double& value, const GpusRule&) {
    const auto whole = static_cast<int64_t>(value);
    json_[key.name] = value == static_cast<double>(whole) ? Json(whole) : Json(value);
  }
  void Field(const Key& key, const std::optional<bool>& value, const AutoRule&) {
    json_[key.name] = value ? Json(*value) : Json("auto");
  }
  template <typename V, typename Rule>
  void Field(const Key& key, const ByPattern<V>& values, const Rule&) {
    Json& json = json_[key.name] = Json::object();
    for (const auto& [pattern, value] : values) json[pattern] = value;
  }
  void Field(const Key& key, const std::string& path, const PathRule&) {
    json_[key.name] = key.none && path.empty() ? Json(nullptr) : Json(path);
  }
  void Field(const Key& key, const SearchSpace& space, const SpaceRule&) {
    Json& json = json_[key.name] = Json::object();
    for (const auto& [parameter, range] : space) json[parameter] = SpaceToJson(range);
  }

  template <typename S, typename... Around>
  void Section(const Key& key, S& section, const Around&... around) {
    json_[key.name] = Written(section, around...);
  }
  template <typename S, typename... Around>
  void Section(const Key& key, std::optional<S>& section, const Around&... around) {
    json_[key.name] = section ? Written(*section, around...) : Json(nullptr);
  }
  template <typename S>
  void Sections(const Key& key, std::vector<S>& list) {
    Json& json = json_[key.name] = Json::array();
    for (S& section : list) json.push_back(Written(section));
  }
  void Planned(const char*) {}

  template <typename S, typename... Around>
  static Json Written(S& section, const Around&... around) {
    JsonWriter writer;
    Describe(writer, section, around...);
    return std::move(writer.json_);
  }

 private:
  Json json_ = Json::object();
};

}  // namespace
}  // namespace experiment_file

Json SpecToJson(const ExperimentSpec& spec) {
  ExperimentSpec copy = spec;  // a description is made for readers, too
  return experiment_file::JsonWriter::Written(copy);
}

}  // namespace scm
