// Any text as a tokenizer.json: refused, or it encodes and decodes without harm, by itself and with
// what may stand beside it.
#include <cstddef>
#include <cstdint>

#include "model/tokenize/tokenizer_json.h"
#include "tests/fuzz/use_tokenizer.h"

namespace scm::fuzz {
namespace {

constexpr int64_t kRows = 1 << 17;

model::TokenizerSettings Beside() {
  model::TokenizerSettings settings;
  settings.bos = "<|a|>";
  settings.add_bos = true;
  settings.tokenizer_class = "GPT2Tokenizer";
  settings.special = {"<|b|>", "a", ""};
  return settings;
}

}  // namespace
}  // namespace scm::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto alone = scm::model::TokenizerPartsFromJson(text, {}, "input");
  if (!alone.ok()) return 0;
  scm::fuzz::UseTokenizer(*alone, scm::fuzz::kRows);
  const auto beside = scm::model::TokenizerPartsFromJson(text, scm::fuzz::Beside(), "input");
  if (beside.ok()) scm::fuzz::UseTokenizer(*beside, scm::fuzz::kRows);
  return 0;
}
