// What training on a device gives beside the CPU and beside the reference on the device itself:
// makes the same steps in each way, on batches that the driver (bench/gpu_bench.py) wrote, and
// answers with one JSON line: {"checks":[{"what","losses","adapters"}]}. "losses" is the largest
// relative difference of a step's loss, "adapters" that of the trained adapters as a whole. The
// checks: the device's kernels beside the reference there; beside the CPU; seeds that share a pass
// beside each alone.
#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/seeds.h"
#include "bench/side.h"
#include "common/files.h"
#include "common/json.h"
#include "common/rng.h"
#include "common/status_macros.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/compute/cuda/cuda_kernels.h"
#include "trainer/compute/llama_model.h"

namespace scm::bench {
namespace {

struct Options {
  SideOptions side;
  int64_t steps = 20;
  size_t seeds = 3;
};

// Rows of odd lengths with padding, and another step's packed into one; a third of the labels is
// masked.
trainer::Batch BatchOfStep(int64_t step, int64_t vocabulary) {
  Philox rng(5, "device_check", static_cast<uint64_t>(step));
  const bool packed = step % 2 == 1;
  trainer::Batch batch;
  batch.length = packed ? 131 : 67;
  batch.rows = packed ? 1 : 3;
  for (int64_t row = 0; row < batch.rows; ++row) {
    const int64_t real = batch.length - static_cast<int64_t>(rng.Below(17));
    const int64_t cut = real / 3;  // where the second document of a packed row begins
    for (int64_t i = 0; i < batch.length; ++i) {
      const auto token = static_cast<int32_t>(rng.Below(static_cast<uint64_t>(vocabulary)));
      batch.tokens.push_back(i < real ? token : 0);
      batch.segments.push_back(i >= real ? -1 : packed && i >= cut ? 1 : 0);
      batch.labels.push_back(
          i < real && i % 3 != 0 ? (token * 7 + 1) % static_cast<int32_t>(vocabulary) : -100);
    }
  }
  return batch;
}

struct Trained {
  std::vector<std::vector<double>> losses;      // by seed
  std::vector<std::vector<at::Tensor>> values;  // adapters by seed, on the host, fp64
};

class Trainer {
 public:
  explicit Trainer(const Options& options) : options_(options) {}

  absl::Status Open() {
    SCM_ASSIGN_OR_RETURN(source_, model::OpenModel(options_.side.model));
    return absl::OkStatus();
  }

  // `seeds` share every pass. `reference`: the ATen reference instead of the device's kernels.
  absl::StatusOr<Trained> Train(const std::string& device, bool reference,
                                const std::vector<uint64_t>& seeds) {
    SCM_ASSIGN_OR_RETURN(
        const auto model,
        trainer::MakeLlamaModelWith(
            *source_, trainer::PrecisionByName(options_.side.precision), device,
            reference ? trainer::MakeAtenKernels() : trainer::MakeKernelsFor(c10::Device(device)),
            QuantizationOf(options_.side)));
    SeedOptions how;
    how.lora.r = 16;
    how.lora.alpha = 32;
    how.lora.dropout = 0.1;
    how.lora.target_modules = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"};
    SCM_ASSIGN_OR_RETURN(Seeds together, Seeds::Add(model.get(), seeds, how));
    Trained trained;
    trained.losses.resize(seeds.size());
    for (int64_t step = 0; step < options_.steps; ++step) {
      const trainer::Batch batch = BatchOfStep(step, model->config().vocabulary);
      SCM_ASSIGN_OR_RETURN(const auto results, together.Step(batch, seeds.size(), step));
      for (size_t set = 0; set < seeds.size(); ++set) {
        trained.losses[set].push_back(results[set].loss);
      }
    }
    for (size_t set = 0; set < seeds.size(); ++set) {
      std::vector<at::Tensor>& values = trained.values.emplace_back();
      for (const trainer::AdapterPair& pair : model->adapters(set)) {
        values.push_back(pair.a.cpu().to(at::kDouble));
        values.push_back(pair.b.cpu().to(at::kDouble));
      }
    }
    return trained;
  }

 private:
  Options options_;
  std::unique_ptr<model::ModelSource> source_;
};

// NaN where a loss is none, which no limit lets pass.
double WorstLoss(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]) / std::abs(b[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

double Distance(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += a[i].sub(b[i]).square().sum().item<double>();
    size += b[i].square().sum().item<double>();
  }
  return std::sqrt(difference / size);
}

Json Check(const std::string& what, const Trained& a, const Trained& b) {
  double losses = 0, adapters = 0;
  for (size_t set = 0; set < a.losses.size(); ++set) {
    const double loss = WorstLoss(a.losses[set], b.losses[set]);
    if (!(loss <= losses)) losses = loss;
    adapters = std::max(adapters, Distance(a.values[set], b.values[set]));
  }
  return {{"what", what},
          {"losses", JsonNumber(losses)},
          {"adapters", JsonNumber(adapters)},
          {"first_loss", JsonNumber(b.losses[0].front())},
          {"last_loss", JsonNumber(b.losses[0].back())}};
}

absl::StatusOr<Json> Checks(const Options& options) {
  Trainer trainer(options);
  SCM_RETURN_IF_ERROR(trainer.Open());
  const std::string& device = options.side.device;
  Json checks = Json::array();
  SCM_ASSIGN_OR_RETURN(const Trained own, trainer.Train(device, false, {11}));
  SCM_ASSIGN_OR_RETURN(const Trained reference, trainer.Train(device, true, {11}));
  checks.push_back(Check("its kernels beside the reference there", own, reference));
  if (!c10::Device(device).is_cpu()) {
    SCM_ASSIGN_OR_RETURN(const Trained cpu, trainer.Train("cpu", false, {11}));
    checks.push_back(Check("beside the CPU", own, cpu));
  }
  std::vector<uint64_t> seeds;
  for (size_t i = 0; i < options.seeds; ++i) seeds.push_back(11 + i);
  SCM_ASSIGN_OR_RETURN(const Trained packed, trainer.Train(device, false, seeds));
  Trained alone = own;
  for (size_t i = 1; i < seeds.size(); ++i) {
    SCM_ASSIGN_OR_RETURN(Trained one, trainer.Train(device, false, {seeds[i]}));
    alone.losses.push_back(std::move(one.losses.front()));
    alone.values.push_back(std::move(one.values.front()));
  }
  checks.push_back(
      Check(absl::StrCat(seeds.size(), " seeds in one pass beside each alone"), packed, alone));
  return Json{{"checks", checks}};
}

absl::Status Main(const Options& options) {
  SCM_ASSIGN_OR_RETURN(const Json checks, Checks(options));
  std::printf("%s\n", DumpJson(checks).c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace scm::bench

int main(int argc, char** argv) {
  scm::bench::Options options;
  CLI::App app("Training on a device beside the CPU, driven by bench/gpu_bench.py");
  options.side.AddTo(&app);
  app.add_option("--steps", options.steps);
  app.add_option("--seeds", options.seeds);
  CLI11_PARSE(app, argc, argv);
  return scm::bench::ExitStatus(scm::bench::Main(options));
}
