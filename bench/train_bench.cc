// One side of the training benchmark (bench/bench.py and bench/gpu_bench.py drive it next to
// peft_bench.py): loads a model, then, for every line "N" on stdin, makes N optimiser steps over
// the batches of the case and answers with one JSON line {"seconds","tokens","losses","grad_norms",
// "peak_bytes"}. "case K" changes to the K-th of the files named by --batches; a file with "runs":
// R trains R seeds together, each on those batches. "peak" asks for
// {"kernels","peak_flops":{"fp32", "VDPBF16PS","TDPBF16PS"}} (those that there are), "gaps" for
// {"gaps","activities","steps"} of a few steps on a GPU, or {"why"} there is none. Ends at end of
// input.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "bench/launch_gaps.h"
#include "bench/peak_flops.h"
#include "bench/seeds.h"
#include "bench/side.h"
#include "common/files.h"
#include "common/json.h"
#include "common/status_macros.h"
#include "trainer/compute/kernel_tables.h"

namespace scm::bench {
namespace {

struct Options {
  SideOptions side;
  std::vector<std::string> batches;  // files, one a case
  int r = 16;
  double alpha = 32, dropout = 0.1, learning_rate = 1e-3, max_grad_norm = 1;
  std::vector<std::string> modules = {"q_proj", "v_proj", "o_proj", "gate_proj"};
};

struct Case {
  std::vector<trainer::Batch> batches;
  size_t runs = 1;
};

absl::StatusOr<Case> ReadCase(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(text, path));
  Case read;
  read.runs = json.value("runs", size_t{1});
  for (const Json& one : json["batches"]) {
    trainer::Batch batch;
    batch.rows = json["rows"].get<int64_t>();
    batch.length = json["length"].get<int64_t>();
    batch.tokens = one["tokens"].get<std::vector<int32_t>>();
    batch.segments = one["segments"].get<std::vector<int32_t>>();
    batch.labels = one["labels"].get<std::vector<int32_t>>();
    read.batches.push_back(std::move(batch));
  }
  return read;
}

class Bench {
 public:
  Bench(const Options& options, std::unique_ptr<trainer::LlamaModel> model, std::vector<Case> cases)
      : options_(options), model_(std::move(model)), cases_(std::move(cases)) {}

  // As many seeds as any case trains together.
  absl::Status AddSeeds() {
    SeedOptions options;
    options.lora.r = options_.r;
    options.lora.alpha = options_.alpha;
    options.lora.dropout = options_.dropout;
    options.lora.target_modules = options_.modules;
    options.learning_rate = options_.learning_rate;
    options.max_grad_norm = options_.max_grad_norm;
    size_t most = 1;
    for (const Case& one : cases_) most = std::max(most, one.runs);
    std::vector<uint64_t> numbers;
    for (size_t set = 0; set < most; ++set) numbers.push_back(set + 1);
    SCM_ASSIGN_OR_RETURN(seeds_, Seeds::Add(model_.get(), numbers, options));
    return absl::OkStatus();
  }

  absl::StatusOr<Json> UseCase(size_t index) {
    if (index >= cases_.size()) return absl::InvalidArgumentError("there is no such case");
    case_ = index;
    ForgetPeak(options_.side.device);
    return Json{{"case", index}};
  }

  absl::StatusOr<Json> Run(int64_t steps) {
    Json losses = Json::array(), norms = Json::array();
    int64_t tokens = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < steps; ++i) {
      SCM_RETURN_IF_ERROR(Step(&losses, &norms, &tokens));
    }
    Synchronize(options_.side.device);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return Json{{"seconds", seconds.count()},
                {"tokens", tokens},
                {"losses", losses},
                {"grad_norms", norms},
                {"peak_bytes", PeakBytes(options_.side.device)}};
  }

  Json Gaps() {
    constexpr int64_t kSteps = 3;
    const auto gaps = MeasureLaunchGaps([this] { return Run(kSteps).status(); });
    if (!gaps.ok()) return {{"why", std::string(gaps.status().message())}};
    return {{"gaps", gaps->time.gaps()}, {"activities", gaps->activities}, {"steps", kSteps}};
  }

 private:
  // One step of each seed of the case, in one pass. Its loss and norm are those of the first.
  absl::Status Step(Json* losses, Json* norms, int64_t* tokens) {
    const Case& now = cases_[case_];
    const trainer::Batch& batch = now.batches[static_cast<size_t>(step_) % now.batches.size()];
    for (int32_t segment : batch.segments) {
      *tokens += segment >= 0 ? static_cast<int64_t>(now.runs) : 0;
    }
    SCM_ASSIGN_OR_RETURN(const std::vector<Seeds::Result> results,
                         seeds_.Step(batch, now.runs, step_));
    losses->push_back(results.front().loss);
    norms->push_back(results.front().norm);
    ++step_;
    return absl::OkStatus();
  }

  Options options_;
  std::unique_ptr<trainer::LlamaModel> model_;
  std::vector<Case> cases_;
  Seeds seeds_;
  size_t case_ = 0;
  int64_t step_ = 0;
};

Json Peaks(int threads) {
  Json peaks = Json::object();
  const std::pair<const char*, Arithmetic> kinds[] = {{"fp32", Arithmetic::kFloat32},
                                                      {"VDPBF16PS", Arithmetic::kBFloat16Vectors},
                                                      {"TDPBF16PS", Arithmetic::kBFloat16Tiles}};
  for (const auto& [name, arithmetic] : kinds) {
    if (const double peak = PeakFlops(arithmetic, threads); peak > 0) peaks[name] = peak;
  }
  return Json{{"kernels", trainer::CpuKernelsInUse()}, {"peak_flops", peaks}};
}

absl::Status Main(const Options& options) {
  std::vector<Case> cases;
  for (const std::string& path : options.batches) {
    SCM_ASSIGN_OR_RETURN(Case one, ReadCase(path));
    cases.push_back(std::move(one));
  }
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<trainer::LlamaModel> model, LoadModel(options.side));
  Bench bench(options, std::move(model), std::move(cases));
  SCM_RETURN_IF_ERROR(bench.AddSeeds());
  return AnswerLines([&](const std::string& line) -> absl::StatusOr<Json> {
    if (line == "peak") return Peaks(options.side.threads);
    if (line == "gaps") return bench.Gaps();
    int64_t number = 0;
    const bool change = absl::StartsWith(line, "case ");
    if (!absl::SimpleAtoi(change ? line.substr(5) : line, &number) || number < 0) {
      return absl::InvalidArgumentError("train-bench does not know the line: " + line);
    }
    if (change) return bench.UseCase(static_cast<size_t>(number));
    return bench.Run(number);
  });
}

}  // namespace
}  // namespace scm::bench

int main(int argc, char** argv) {
  scm::bench::Options options;
  CLI::App app("Training benchmark, driven by bench/bench.py");
  options.side.AddTo(&app);
  app.add_option("--batches", options.batches)->required();
  app.add_option("--dropout", options.dropout);
  app.add_option("--learning-rate", options.learning_rate);
  CLI11_PARSE(app, argc, argv);
  return scm::bench::ExitStatus(scm::bench::Main(options));
}
