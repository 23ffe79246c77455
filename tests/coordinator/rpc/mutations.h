// Bytes and JSON that are not as they should be, made from what is. Pure functions of the stream of
// random numbers.
#pragma once

#include <string>
#include <vector>

#include "common/json.h"
#include "common/rng.h"

namespace scm::rpc {

const std::string& Pick(const std::vector<std::string>& from, Philox& rng);
// Text of others at its worst: cut characters, NUL, escape sequences, directions, length.
std::string HostileText(Philox& rng);
// Number that programs trip over.
int64_t HostileInteger(Philox& rng);
double HostileReal(Philox& rng);
// A few bytes changed, put in, taken out, doubled, or the rest cut off.
std::string MutatedBytes(std::string bytes, Philox& rng);
// Somewhere in it another value, kind of value, key or nesting.
Json MutatedJson(const Json& json, Philox& rng);

}  // namespace scm::rpc
