#include "trainer/loop/memory_answer.h"

#include <ATen/DeviceAccelerator.h>
#include <c10/core/Device.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/files.h"
#include "common/human.h"
#include "trainer/data/adapter_input.h"

namespace scm::trainer {
namespace {

// The runs with something changed, and the words for it.
struct Variant {
  std::string words;
  std::function<void(JobSpec*)> change;
};

class Answer {
 public:
  Answer(const std::vector<const JobSpec*>& runs, const model::LlamaConfig& config,
         std::string device, const CpuFunctions* table)
      : runs_(runs), config_(config), device_(std::move(device)), table_(table) {}

  MemoryPlan Plan(const std::vector<Variant>& variants) const {
    std::vector<JobSpec> changed;
    for (const JobSpec* run : runs_) changed.push_back(*run);
    std::vector<const JobSpec*> all;
    for (JobSpec& run : changed) {
      for (const Variant& variant : variants) variant.change(&run);
      all.push_back(&run);
    }
    return PlanMemory(TrainingShapeOf(all, config_, device_), table_);
  }

  // What makes a run smaller, alone and then with others; each as far as it is needed for `room`.
  std::vector<std::string> WhatFits(int64_t room) const {
    std::vector<std::string> fitting;
    const std::vector<Variant> base = Switches();
    for (const Variant& one : base) {
      if (Plan({one}).total() <= room) fitting.push_back(one.words);
    }
    for (const auto& [words, smaller] : {Halved("training.batch_size", &BatchOf, room, {}),
                                         Halved("data.max_length", &LengthOf, room, {})}) {
      if (smaller) fitting.push_back(words);
    }
    if (!fitting.empty() || base.empty()) return fitting;
    const std::string together = absl::StrJoin(
        base, " with ", [](std::string* out, const Variant& v) { absl::StrAppend(out, v.words); });
    if (Plan(base).total() <= room) return {together};
    const auto [words, smaller] = Halved("training.batch_size", &BatchOf, room, base);
    if (smaller) fitting.push_back(absl::StrCat(words, " with ", together));
    return fitting;
  }

  // Everything at once.
  int64_t Smallest() const {
    std::vector<Variant> all = Switches();
    all.push_back({"", [](JobSpec* run) { run->training.batch_size = 1; }});
    return Plan(all).total();
  }

 private:
  static int64_t* BatchOf(JobSpec* run) { return &run->training.batch_size; }
  static int64_t* LengthOf(JobSpec* run) { return &run->data.max_length; }

  std::vector<Variant> Switches() const {
    std::vector<Variant> switches;
    const JobSpec& first = *runs_.front();
    if (!first.training.recompute) {
      switches.push_back(
          {"training.recompute: true", [](JobSpec* run) { run->training.recompute = true; }});
    }
    if (!ToBaseQuantization(first.lora).active()) {
      switches.push_back(
          {"lora.quantize_base: nf4", [](JobSpec* run) { run->lora.quantize_base = "nf4"; }});
    }
    return switches;
  }

  // The largest value, halved again and again, that fits together with `others`.
  std::pair<std::string, bool> Halved(const char* key, int64_t* (*of)(JobSpec*), int64_t room,
                                      std::vector<Variant> others) const {
    JobSpec first = *runs_.front();
    for (int64_t value = *of(&first) / 2; value > 0; value /= 2) {
      std::vector<Variant> all = others;
      all.push_back({"", [of, value](JobSpec* run) { *of(run) = std::min(*of(run), value); }});
      if (Plan(all).total() <= room) return {absl::StrCat(key, ": ", value), true};
    }
    return {"", false};
  }

  const std::vector<const JobSpec*>& runs_;
  const model::LlamaConfig& config_;
  const std::string device_;
  const CpuFunctions* table_;
};

std::string ByKind(const MemoryPlan& plan) {
  return absl::StrCat("weights ", HumanBytes(plan.weights), ", adapters ",
                      HumanBytes(plan.adapters), ", optimiser ", HumanBytes(plan.optimiser),
                      ", activations ", HumanBytes(plan.activations), ", logits ",
                      HumanBytes(plan.logits));
}

// "1234 kB" of the line "NAME: 1234 kB" in a file of /proc; in bytes.
std::optional<int64_t> KilobytesOf(const std::string& path, absl::string_view name) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(": \t"), absl::SkipEmpty());
    int64_t kilobytes = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &kilobytes)) {
      return kilobytes * 1024;
    }
  }
  return std::nullopt;
}

std::optional<int64_t> NumberIn(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  int64_t number = 0;
  if (!text.ok() || !absl::SimpleAtoi(*text, &number)) return std::nullopt;
  return number;
}

// Of the unified hierarchy, as the process sees it.
std::optional<int64_t> LeftByControlGroup() {
  const absl::StatusOr<std::string> own = ReadFile("/proc/self/cgroup");
  if (!own.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*own, '\n')) {
    if (line.substr(0, 3) != "0::") continue;
    const std::string group = absl::StrCat("/sys/fs/cgroup", line.substr(3));
    const auto most = NumberIn(group + "/memory.max"), now = NumberIn(group + "/memory.current");
    if (most && now) return std::max<int64_t>(0, *most - *now);
  }
  return std::nullopt;
}

std::optional<int64_t> LeftByLimit(decltype(RLIMIT_DATA) kind, absl::string_view used) {
  rlimit limit{};
  if (::getrlimit(kind, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  const std::optional<int64_t> now = KilobytesOf("/proc/self/status", used);
  if (!now) return std::nullopt;
  return std::max<int64_t>(0, static_cast<int64_t>(limit.rlim_cur) - *now);
}

}  // namespace

TrainingShape TrainingShapeOf(const std::vector<const JobSpec*>& runs,
                              const model::LlamaConfig& config, const std::string& device) {
  TrainingShape shape;
  const JobSpec& first = *runs.front();
  shape.config = config;
  shape.precision = PrecisionByName(first.training.precision);
  shape.quantization = ToBaseQuantization(first.lora);
  shape.longest = first.data.max_length;
  shape.recompute = first.training.recompute;
  if (device != "cpu") {
    shape.pass_rows = std::numeric_limits<int64_t>::max();
    shape.recorded = true;
  }
  for (const JobSpec* run : runs) {
    shape.runs.push_back(
        NeedsOf(config, ToLoraConfig(run->lora), run->training.batch_size * run->data.max_length));
  }
  return shape;
}

std::string MemoryAnswer(const std::vector<const JobSpec*>& runs, const model::LlamaConfig& config,
                         const std::string& device, std::optional<int64_t> free,
                         const CpuFunctions* table) {
  const Answer answer(runs, config, device, table);
  const MemoryPlan plan = answer.Plan({});
  const JobSpec& first = *runs.front();
  std::string text =
      absl::StrCat(runs.size() == 1 ? "A run" : absl::StrCat(runs.size(), " runs"), " of ",
                   first.training.batch_size, " × ", first.data.max_length, " tokens in ",
                   first.training.precision, " on ", device, runs.size() == 1 ? " takes" : " take",
                   " about ", HumanBytes(plan.total()), " (", ByKind(plan), ")");
  if (!free) return text + "; how much was free the system does not tell.";
  absl::StrAppend(&text, ", and ", HumanBytes(*free), " were free. ");
  if (plan.total() <= *free) {
    return text + "That should have been enough: something else took memory meanwhile.";
  }
  const std::vector<std::string> fitting = answer.WhatFits(*free);
  if (!fitting.empty())
    return absl::StrCat(text, "What would fit: ", absl::StrJoin(fitting, "; or "), ".");
  const int64_t smallest = answer.Smallest();
  return absl::StrCat(text, "No training.batch_size, data.max_length, training.recompute or ",
                      "lora.quantize_base makes it fit",
                      smallest < plan.total()
                          ? absl::StrCat(" (all together it takes ", HumanBytes(smallest), ")")
                          : "",
                      ": it needs ", runs.size() == 1 ? "" : "fewer runs in one process, ",
                      "a smaller lora.r or model, or more memory.");
}

std::optional<int64_t> FreeMemory(const std::string& device) {
  const c10::Device where(device);
  if (!where.is_cpu()) {
    try {
      return static_cast<int64_t>(at::accelerator::getMemoryInfo(where.index()).first);
    } catch (const std::exception&) {
      return std::nullopt;  // this libtorch does not ask the device
    }
  }
  std::optional<int64_t> least;
  for (const std::optional<int64_t>& one :
       {KilobytesOf("/proc/meminfo", "MemAvailable"), LeftByControlGroup(),
        LeftByLimit(RLIMIT_DATA, "VmData"), LeftByLimit(RLIMIT_AS, "VmSize")}) {
    if (one && (!least || *one < *least)) least = one;
  }
  return least;
}

}  // namespace scm::trainer
