// What the sides of a benchmark share that hold a model: loading it, and answering a driver that
// writes lines and reads JSON. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/json.h"
#include "trainer/compute/model.h"
#include "trainer/compute/quantize/quantized_matrix.h"

namespace CLI {
class App;
}

namespace scm::bench {

struct SideOptions {
  std::string model, precision = "fp32", device = "cpu", quantize = "none";
  int threads = 2;

  void AddTo(CLI::App* app);
};

trainer::BaseQuantization QuantizationOf(const SideOptions& options);

// Waits until the device has done what it was given.
void Synchronize(const std::string& device);
// The most memory taken since the start, or of a GPU since ForgetPeak: resident, or held by torch's
// allocator.
int64_t PeakBytes(const std::string& device);
// What torch's allocator keeps for later goes back to the GPU; of a CPU nothing is forgotten.
void ForgetPeak(const std::string& device);

// Sets the number of threads; nothing of the file stays mapped, whose pages would count as
// resident.
absl::StatusOr<std::unique_ptr<trainer::LlamaModel>> LoadModel(const SideOptions& options);

// Says "ready", then answers each line on stdin with one line of JSON, to the end of input or the
// first error.
absl::Status AnswerLines(const std::function<absl::StatusOr<Json>(const std::string&)>& answer);

// The exit status; says what went wrong.
int ExitStatus(const absl::Status& status);

}  // namespace scm::bench
