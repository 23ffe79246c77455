// Instead of nccl.cc, where the wheel has no NCCL or its headers are not there.
#include "trainer/gang/nccl.h"

namespace scm::gang {

bool BuiltWithNccl() { return false; }

absl::StatusOr<std::unique_ptr<Communicator>> JoinNccl(const Rendezvous&, const Member&,
                                                       const JoinOptions&) {
  return absl::UnimplementedError(
      "this scm-trainer was built without NCCL, over which several ranks train on GPUs: build it "
      "with torch's CUDA wheel and the headers beside it (scripts/setup.sh cuda, and "
      "-DSCM_TORCH_PYTHON), or set resources.gpus to 0 or resources.ranks to 1");
}

}  // namespace scm::gang
