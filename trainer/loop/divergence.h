// What a run that diverged says about it: the step, its learning rate, and where the first value
// arose that is not finite, found by taking the step again under a watch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "trainer/compute/model.h"

namespace scm::trainer {

struct DivergedStep {
  int64_t step = 0;
  double learning_rate = 0, loss = 0, gradient_norm = 0;
};

// "layer 7, mlp.down_proj, forward", or another phrase that ends "arose in …". `again` takes the
// step again, whose update was not made: the gradients of `adapters` are cleared and then computed.
std::string FindFirstNonFinite(LlamaModel* model, const std::vector<AdapterPair>& adapters,
                               const std::function<absl::Status()>& again);

// "the first value that is not finite arose in layer 7, mlp.down_proj, forward (learning rate
// 0.3)", for the step's report.
std::string NoteOf(const DivergedStep& step, const std::string& place);

// ABORTED, with the sentence for whoever reads the run's end.
absl::Status Diverged(const DivergedStep& step, const std::string& place);

}  // namespace scm::trainer
