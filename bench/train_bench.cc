// One side of the training benchmark (bench/bench.py drives it next to peft_bench.py): loads a
// model, then, for every line "N" on stdin, makes N optimiser steps over the given batches and
// answers with one JSON line {"seconds","tokens","losses","grad_norms","peak_rss"}. The line "peak"
// asks for {"kernels","peak_flops":{"fp32","VDPBF16PS","TDPBF16PS"}} (those that there are). Ends
// at end of input.
#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "bench/peak_flops.h"
#include "bench/side.h"
#include "common/files.h"
#include "common/json.h"
#include "common/resident_memory.h"
#include "common/status_macros.h"
#include "trainer/compute/kernel_tables.h"
#include "trainer/loop/adamw.h"

namespace scm::bench {
namespace {

struct Options {
  SideOptions side;
  std::string batches;
  int r = 16;
  double alpha = 32, dropout = 0.1, learning_rate = 1e-3, max_grad_norm = 1;
  std::vector<std::string> modules = {"q_proj", "v_proj", "o_proj", "gate_proj"};
};

absl::StatusOr<std::vector<trainer::Batch>> ReadBatches(const std::string& path) {
  SCM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  SCM_ASSIGN_OR_RETURN(Json json, ParseJson(text, path));
  std::vector<trainer::Batch> batches;
  for (const Json& one : json["batches"]) {
    trainer::Batch batch;
    batch.rows = json["rows"].get<int64_t>();
    batch.length = json["length"].get<int64_t>();
    batch.tokens = one["tokens"].get<std::vector<int32_t>>();
    batch.segments = one["segments"].get<std::vector<int32_t>>();
    batch.labels = one["labels"].get<std::vector<int32_t>>();
    batches.push_back(std::move(batch));
  }
  return batches;
}

class Bench {
 public:
  Bench(const Options& options, std::unique_ptr<trainer::LlamaModel> model,
        std::vector<trainer::Batch> batches)
      : options_(options),
        model_(std::move(model)),
        batches_(std::move(batches)),
        optimizer_(model_->adapters(), trainer::AdamWConfig()) {}

  absl::StatusOr<Json> Run(int64_t steps) {
    Json losses = Json::array(), norms = Json::array();
    int64_t tokens = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < steps; ++i, ++step_) {
      const trainer::Batch& batch = batches_[static_cast<size_t>(step_) % batches_.size()];
      int64_t labels = 0;
      for (int32_t label : batch.labels) labels += label >= 0;
      for (int32_t segment : batch.segments) tokens += segment >= 0;
      model_->ZeroGradients();
      SCM_ASSIGN_OR_RETURN(
          const trainer::LossResult loss,
          model_->TrainStep(batch, 1.0 / static_cast<double>(labels), 1, step_, 0));
      const double norm = trainer::GradientNorm(optimizer_.slots());
      optimizer_.Step(options_.learning_rate, trainer::ClipScale(norm, options_.max_grad_norm));
      losses.push_back(loss.loss_sum / static_cast<double>(labels));
      norms.push_back(norm);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return Json{{"seconds", seconds.count()},
                {"tokens", tokens},
                {"losses", losses},
                {"grad_norms", norms},
                {"peak_rss", PeakResidentBytes()}};
  }

 private:
  Options options_;
  std::unique_ptr<trainer::LlamaModel> model_;
  std::vector<trainer::Batch> batches_;
  trainer::AdamW optimizer_;
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
  SCM_ASSIGN_OR_RETURN(std::vector<trainer::Batch> batches, ReadBatches(options.batches));
  SCM_ASSIGN_OR_RETURN(std::unique_ptr<trainer::LlamaModel> model, LoadModel(options.side));
  trainer::LoraConfig lora;
  lora.r = options.r;
  lora.alpha = options.alpha;
  lora.dropout = options.dropout;
  lora.target_modules = options.modules;
  SCM_RETURN_IF_ERROR(model->AddLora(lora, 1));
  Bench bench(options, std::move(model), std::move(batches));
  return AnswerLines([&](const std::string& line) -> absl::StatusOr<Json> {
    return line == "peak" ? Peaks(options.side.threads) : bench.Run(std::stoll(line));
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
