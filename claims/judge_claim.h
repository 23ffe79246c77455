// Whether what is stored supports a claim. Pure.
#pragma once

#include <string>
#include <vector>

#include "claims/claim.h"
#include "claims/facts.h"
#include "claims/wording.h"

namespace scm::claims {

struct Judgement {
  bool supported = false;
  std::string why;                   // not supported: what is wrong with it
  std::vector<std::string> instead;  // what is stored, as sentences that would be true
  std::string advice;                // supported, but better with this
};

// A gain needs the interval and the p-value that counts; "more than" needs the bound; a number has
// to be the stored one, rounded as it is written; what cannot be judged supports nothing.
Judgement JudgeClaim(const Claim& claim, const Facts& facts, Language language);

}  // namespace scm::claims
