// A debug mode for recorded passes, on any device: each pass is run, and looked at for what a
// replay on a GPU could not do. Between two passes of one key, operations and their arguments
// (addresses, shapes, numbers) have to be the same; within a pass nothing may be allocated but what
// an operation of the kernels takes for itself, nothing copied from or to the host, and nothing
// waited for. Slow. One owner, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "trainer/compute/kernels.h"
#include "trainer/compute/pass_runner.h"

namespace scm::trainer {

class ReplayCheck : public PassRunner {
 public:
  // An operation, with what it is called and handed.
  struct Operation {
    std::string name;
    std::vector<std::pair<std::string, std::string>> arguments;
  };

  // INTERNAL with the operation and the argument that are not as a replay needs them.
  absl::Status Run(const std::string& key, const std::function<void()>& pass) override;
  void Forget() override { recorded_.clear(); }

  int64_t passes() const { return passes_; }
  size_t keys() const { return recorded_.size(); }

  // For those that look on while a pass runs.
  void Note(Operation operation);
  void NoteAllocation(int64_t bytes);
  void NoteWait(const std::string& name);
  // Whether an operation of the kernels runs, which may allocate.
  int within_kernel = 0;

 private:
  void Complain(const std::string& what);

  std::map<std::string, std::vector<Operation>> recorded_;
  const std::vector<Operation>* before_ = nullptr;  // of the pass that runs; null: it is the first
  std::vector<Operation> now_;
  std::string problem_;
  bool running_ = false;
  int64_t passes_ = 0;
};

// Kernels that tell `check` what they are handed. Both outlive the result.
std::unique_ptr<Kernels> MakeCheckedKernels(Kernels* inner, ReplayCheck* check);

}  // namespace scm::trainer
