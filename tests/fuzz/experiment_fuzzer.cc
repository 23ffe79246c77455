// Any bytes as an experiment file. Whatever comes out is a spec or errors, and
// what is accepted survives the canonical round trip.
#include <cstddef>
#include <cstdint>

#include "common/json.h"
#include "experiment/parse.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using scm::fuzz::Require;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const scm::ParseOptions options{.base_directory = "/base", .check_paths = false};
  const scm::ParsedExperiment parsed = scm::ParseExperiment(text, options);
  Require(parsed.spec.has_value() == parsed.errors.empty(), "neither a spec nor errors, or both");
  for (const scm::Diagnostic& error : parsed.errors) {
    Require(!error.message.empty(), "an error without a message");
  }
  if (!parsed.spec) return 0;
  const scm::Json json = scm::SpecToJson(*parsed.spec);
  const scm::ParsedExperiment again = scm::ParseExperiment(scm::DumpJson(json), options);
  Require(again.spec.has_value(), "the canonical form is refused");
  Require(scm::SpecToJson(*again.spec) == json, "the canonical form is not stable");
  return 0;
}
