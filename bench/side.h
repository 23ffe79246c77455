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

namespace CLI {
class App;
}

namespace scm::bench {

struct SideOptions {
  std::string model, precision = "fp32";
  int threads = 2;

  void AddTo(CLI::App* app);
};

// Sets the number of threads; nothing of the file stays mapped, whose pages would count as
// resident.
absl::StatusOr<std::unique_ptr<trainer::LlamaModel>> LoadModel(const SideOptions& options);

// Says "ready", then answers each line on stdin with one line of JSON, to the end of input or the
// first error.
absl::Status AnswerLines(const std::function<absl::StatusOr<Json>(const std::string&)>& answer);

// The exit status; says what went wrong.
int ExitStatus(const absl::Status& status);

}  // namespace scm::bench
