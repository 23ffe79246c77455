// Any bytes as a tokenizer.model: refused, or it encodes and decodes without harm.
#include <cstddef>
#include <cstdint>

#include "model/tokenize/tiktoken.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  scm::model::TokenizerSettings settings;
  settings.decoder = {{"<|a|>", 1 << 15, true}};
  auto parts = scm::model::TokenizerPartsFromTiktoken(text, settings, "input");
  if (!parts.ok()) return 0;
  (void)scm::model::TokenizerJsonText(*parts);
  const auto tokenizer = scm::model::MakeBpeTokenizer(*std::move(parts), 1 << 16, "input");
  if (!tokenizer.ok()) return 0;
  for (const bool special : {false, true}) {
    const auto ids = (*tokenizer)->Encode("hola <|a|> 12 ñ\n\n x", special);
    if (ids.ok()) (*tokenizer)->Decode(*ids);
  }
  return 0;
}
