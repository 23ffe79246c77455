// scm-quantize-probe KIND ROWS COLUMNS IN OUT: quantises the fp32 numbers of the file IN and writes
// OUT.codes, OUT.scales, OUT.scale_codes, OUT.offset and OUT.values, raw, as far as KIND ("nf4",
// "nf4-plain" without double quantisation, "int8") has them; and OUT.map, the signed dynamic map.
// Prints how many blocks are inverted.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "common/files.h"
#include "trainer/compute/quantize/codes.h"
#include "trainer/compute/quantize/int8.h"
#include "trainer/compute/quantize/nf4.h"

namespace scm::trainer {
namespace {

template <typename Values>
bool Write(const std::string& path, const Values& values) {
  return WriteFileDurably(path, std::string(reinterpret_cast<const char*>(values.data()),
                                            values.size() * sizeof values[0]))
      .ok();
}

bool ProbeNf4(const std::vector<float>& values, bool double_quant, const std::string& out) {
  const int64_t count = static_cast<int64_t>(values.size());
  const Nf4Tensor tensor = QuantizeNf4(values.data(), count, double_quant);
  std::vector<float> back(values.size());
  DequantizeNf4(tensor, 0, count, back.data());
  std::vector<uint16_t> half(values.size());
  DequantizeNf4ToBFloat16(tensor, 0, count, half.data());
  std::printf("%lld\n", static_cast<long long>(CountInvertedBlocks(tensor)));
  return Write(out + ".codes", tensor.codes) && Write(out + ".scales", tensor.scales) &&
         Write(out + ".scale_codes", tensor.scale_codes) &&
         Write(out + ".offset", std::vector<float>{tensor.offset}) &&
         Write(out + ".values", back) && Write(out + ".bf16", half) &&
         Write(out + ".map", DynamicMap());
}

bool ProbeInt8(const std::vector<float>& values, int64_t rows, int64_t columns,
               const std::string& out) {
  const Int8Matrix matrix = QuantizeInt8(values.data(), rows, columns);
  std::vector<float> back(values.size());
  for (int64_t row = 0; row < rows; ++row) {
    DequantizeInt8(matrix, row, 0, columns, back.data() + row * columns);
  }
  std::printf("0\n");
  return Write(out + ".codes", matrix.codes) && Write(out + ".scales", matrix.scales) &&
         Write(out + ".values", back);
}

int Run(const std::string& kind, int64_t rows, int64_t columns, const std::string& in,
        const std::string& out) {
  const absl::StatusOr<std::string> bytes = ReadFile(in);
  if (!bytes.ok() || bytes->size() != static_cast<size_t>(rows * columns) * sizeof(float)) {
    std::fprintf(stderr, "scm-quantize-probe: %s is no file of %lld numbers\n", in.c_str(),
                 static_cast<long long>(rows * columns));
    return 1;
  }
  std::vector<float> values(bytes->size() / sizeof(float));
  std::memcpy(values.data(), bytes->data(), bytes->size());
  const bool written =
      kind == "int8" ? ProbeInt8(values, rows, columns, out) : ProbeNf4(values, kind == "nf4", out);
  return written ? 0 : 1;
}

}  // namespace
}  // namespace scm::trainer

int main(int argc, char** argv) {
  if (argc != 6) return 64;
  return scm::trainer::Run(argv[1], std::atoll(argv[2]), std::atoll(argv[3]), argv[4], argv[5]);
}
