#include "trainer/loop/pack_shape.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/json.h"
#include "experiment/describe.h"

namespace scm::trainer {
namespace {

// The keys that runs of one process share, and their values: the visitor of experiment/describe.h
// that a pack's shape is read off with.
class SharedKeys {
 public:
  explicit SharedKeys(std::string section) : section_(std::move(section)) {}

  template <typename T, typename... Rule>
  void Field(const experiment_file::Key& key, const T& value, const Rule&...) {
    if (key.shared) found_.emplace_back(absl::StrCat(section_, ".", key.name), ValueOf(value));
  }
  template <typename S>
  void Section(const experiment_file::Key& key, S& section) {
    SharedKeys inside(absl::StrCat(section_, ".", key.name));
    experiment_file::Describe(inside, section);
    for (auto& each : inside.found_) found_.push_back(std::move(each));
  }
  template <typename S>
  void Section(const experiment_file::Key& key, std::optional<S>& section) {
    if (section) Section(key, *section);
  }
  void Planned(const char*) {}

  std::vector<std::pair<std::string, Json>> Take() { return std::move(found_); }

 private:
  template <typename T>
  static Json ValueOf(const T& value) {
    return value;
  }
  template <typename T>
  static Json ValueOf(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
  }

  const std::string section_;
  std::vector<std::pair<std::string, Json>> found_;
};

std::vector<std::pair<std::string, Json>> ShapeOf(JobSpec run) {
  std::vector<std::pair<std::string, Json>> shape;
  const auto add = [&shape](const char* section, auto& values) {
    SharedKeys keys(section);
    experiment_file::Describe(keys, values);
    for (auto& each : keys.Take()) shape.push_back(std::move(each));
  };
  ModelSpec model{run.model, ""};
  add("model", model);
  add("training", run.training);
  add("lora", run.lora);
  add("data", run.data);
  add("trainer.parameters", run.trainer);
  return shape;
}

}  // namespace

absl::Status CheckPackShape(const std::vector<JobSpec>& runs) {
  for (const JobSpec& run : runs) {
    const auto shape = ShapeOf(run), first = ShapeOf(runs.front());
    for (size_t i = 0; i < shape.size(); ++i) {
      if (shape[i].second == first[i].second) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          run.run_id, " cannot train in one process with ", runs.front().run_id, ": ",
          shape[i].first, " is ", DumpJson(shape[i].second), " there and ",
          DumpJson(first[i].second),
          " here. Runs of a pack share the base, its precision and the data; give it a task of "
          "its own (packed: false)"));
    }
  }
  return absl::OkStatus();
}

}  // namespace scm::trainer
