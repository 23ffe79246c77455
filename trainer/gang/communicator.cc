#include "trainer/gang/communicator.h"

#include <ATen/core/Tensor.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::gang {
namespace {

class Solo : public Communicator {
 public:
  int64_t rank() const override { return 0; }
  int64_t world_size() const override { return 1; }
  absl::Status Sum(std::span<float>) override { return absl::OkStatus(); }
  absl::Status Sum(std::span<double>) override { return absl::OkStatus(); }
  absl::Status Sum(at::Tensor&) override { return absl::OkStatus(); }
  absl::Status Broadcast(std::string*, int64_t) override { return absl::OkStatus(); }
  void Leave(const absl::Status&) override {}
};

template <typename T>
absl::Status SumOnHost(Communicator& gang, at::Tensor& values) {
  at::Tensor host = values.cpu().contiguous();
  SCM_RETURN_IF_ERROR(
      gang.Sum(std::span<T>(host.mutable_data_ptr<T>(), static_cast<size_t>(host.numel()))));
  if (!host.is_same(values)) values.copy_(host);
  return absl::OkStatus();
}

}  // namespace

absl::Status Communicator::Sum(at::Tensor& values) {
  if (values.scalar_type() == at::kDouble) return SumOnHost<double>(*this, values);
  if (values.scalar_type() == at::kFloat) return SumOnHost<float>(*this, values);
  return absl::InvalidArgumentError(
      absl::StrCat("the ranks sum fp32 and fp64, not ", at::toString(values.scalar_type())));
}

std::unique_ptr<Communicator> MakeSolo() { return std::make_unique<Solo>(); }

absl::Status CheckSame(Communicator& gang, const std::string& what, const std::string& value) {
  std::string first = value;
  SCM_RETURN_IF_ERROR(gang.Broadcast(&first));
  // All hear of it, also those that agree with rank 0.
  double differing = first == value ? 0 : 1;
  SCM_RETURN_IF_ERROR(gang.Sum(std::span<double>(&differing, 1)));
  if (differing == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the ", gang.world_size(), " ranks have different ", what, ": ", differing,
                   " of them others than rank 0. They need the same files on every worker"));
}

}  // namespace scm::gang
