// What fuzzers hold to be true of every input that is not refused. Where it is not, the process
// ends, and libFuzzer keeps the input.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace scm::fuzz {

inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace scm::fuzz
