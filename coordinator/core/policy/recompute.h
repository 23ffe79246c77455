// `why --verify`: computes a stored certificate again from the window it holds.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/json.h"

namespace scm::policy {

struct Recomputation {
  bool reproduced = false;  // the rule aborts again, and every stored statistic comes out the same
  std::string text;         // one sentence for people
};

// INVALID_ARGUMENT for a certificate that is incomplete, NOT_FOUND for a rule this version does not
// know, FAILED_PRECONDITION for a later version of a rule; an earlier one is computed as it was.
// Statistics are compared to 1e-9.
absl::StatusOr<Recomputation> RecomputeCertificate(const Json& certificate);

}  // namespace scm::policy
