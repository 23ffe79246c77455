#include "trainer/loop/divergence.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "trainer/compute/first_non_finite.h"

namespace scm::trainer {
namespace {

bool AllFinite(const at::Tensor& values) { return at::isfinite(values).all().item<bool>(); }

std::string ModuleOf(const AdapterPair& pair) {
  return std::string(absl::StripPrefix(pair.name, "base_model.model.model."));
}

}  // namespace

std::string FindFirstNonFinite(LlamaModel* model, const std::vector<AdapterPair>& adapters,
                               const std::function<absl::Status()>& again) {
  for (const AdapterPair& pair : adapters) {
    if (AllFinite(pair.a) && AllFinite(pair.b)) continue;
    return absl::StrCat("the adapter of ", ModuleOf(pair), ", by the update of the step before");
  }
  FirstNonFinite found;
  model->Watch(&found);
  const absl::Status taken = again();
  model->Watch(nullptr);
  if (!found.place.empty()) return found.place;
  if (!taken.ok()) return "a place that a second try did not reach";
  for (const AdapterPair& pair : adapters) {
    if (AllFinite(pair.grad_a) && AllFinite(pair.grad_b)) continue;
    return absl::StrCat("the sum of the gradients of ", ModuleOf(pair));
  }
  return "the sum of the losses or the gradients' norm, whose parts are finite";
}

std::string NoteOf(const DivergedStep& step, const std::string& place) {
  return absl::StrCat("the first value that is not finite arose in ", place, " (learning rate ",
                      step.learning_rate, ")");
}

absl::Status Diverged(const DivergedStep& step, const std::string& place) {
  return absl::AbortedError(absl::StrCat(
      "training diverged at step ", step.step, " (learning rate ", step.learning_rate,
      "): the first value that is not finite arose in ", place, "; the loss is ", step.loss,
      " and the gradient norm ", step.gradient_norm, ". A lower training.learning_rate may help"));
}

}  // namespace scm::trainer
