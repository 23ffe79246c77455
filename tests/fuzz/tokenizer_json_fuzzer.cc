// Any text as a tokenizer.json: refused, or it encodes and decodes without harm.
#include <cstddef>
#include <cstdint>

#include "model/tokenize/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tokenizer = scm::model::TokenizerFromJson(text, {}, 1 << 16, "input");
  if (!tokenizer.ok()) return 0;
  for (const bool special : {false, true}) {
    const auto ids = (*tokenizer)->Encode("hola <|a|> 12 ñ\n\n x", special);
    if (ids.ok()) (*tokenizer)->Decode(*ids);
  }
  return 0;
}
