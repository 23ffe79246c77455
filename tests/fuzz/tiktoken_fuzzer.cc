// Any bytes as a tokenizer.model: refused, or it encodes and decodes without harm.
#include <cstddef>
#include <cstdint>

#include "model/tokenize/tiktoken.h"
#include "tests/fuzz/use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  scm::model::TokenizerSettings settings;
  settings.bos = "<|a|>";
  settings.decoder = {{"<|a|>", 1 << 15, true}, {"<|b|>", (1 << 15) + 1, true}};
  const auto parts = scm::model::TokenizerPartsFromTiktoken(text, settings, "input");
  if (parts.ok()) scm::fuzz::UseTokenizer(*parts, 1 << 17);
  return 0;
}
