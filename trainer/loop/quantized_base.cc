#include "trainer/loop/quantized_base.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace scm::trainer {

QuantizedCache QuantizedCacheOf(const JobSpec& spec) {
  const corpus::InputRecord* record = corpus::FindRecord(spec.recorded, spec.model);
  if (record == nullptr || spec.digest_cache.empty()) return QuantizedCache("", "");
  return QuantizedCache(spec.digest_cache + "/quantized", record->sha256);
}

std::string DescribeQuantizedBase(const QuantizedBase& base) {
  return absl::StrFormat(
      "the base's %d matrices are in %s: %d parameters in %d bytes, %.3f bits each", base.matrices,
      QuantizationName(base.quantization), base.parameters, base.bytes, base.bits_per_parameter());
}

Json QuantizedBaseToJson(const QuantizedBase& base) {
  if (base.matrices == 0) return Json();
  return {{"type", QuantizationName(base.quantization)},
          {"parameters", base.parameters},
          {"bytes", base.bytes},
          {"bits_per_parameter", JsonNumber(base.bits_per_parameter())},
          {"inverted_blocks", base.inverted_blocks}};
}

std::vector<std::string> QuantizedBaseWarnings(const QuantizedBase& base) {
  if (base.inverted_blocks == 0) return {};
  return {absl::StrCat("double quantisation gave ", base.inverted_blocks, " of ", base.blocks,
                       " blocks of the base a negative scale: their 64 weights, weak beside the "
                       "others of their matrix, have the wrong sign. lora.double_quant: false "
                       "avoids it for 0.37 bits a parameter more")};
}

}  // namespace scm::trainer
