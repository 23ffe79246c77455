#include "trainer/compute/cuda/frozen_products.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "trainer/compute/cuda/device_call.h"
#include "trainer/compute/quantize/codes.h"

namespace scm::trainer {
namespace {

constexpr int64_t kTileStep = 64;  // rows or columns of a tile are a multiple
constexpr int64_t kMostGridRows = 4096;

at::ScalarType TypeOf(const FrozenMatrix& w) {
  return w.quantized != nullptr ? w.type : w.plain.scalar_type();
}

bool CanRead(const FrozenMatrix& w) {
  return w.quantized != nullptr ? w.packed.defined() : Readable(w.plain);
}

// out = a·b, or out += a·b; a and b of one type, out of that or fp32.
void Multiply(const at::Tensor& a, const at::Tensor& b, bool add, at::Tensor& out) {
  const bool widens = out.scalar_type() != a.scalar_type();
  if (add && widens) {
    at::addmm_out(out, out, a, b, at::kFloat);
  } else if (add) {
    out.addmm_(a, b);
  } else if (widens) {
    at::mm_out(out, a, b, at::kFloat);
  } else {
    at::mm_out(out, a, b);
  }
}

// Where the parts of a quantised matrix lie in the bytes of `packed`.
struct PackedLayout {
  int64_t values = 0, scales = 0, scale_codes = 0, codes = 0, end = 0;
};

template <typename T>
int64_t BytesIn(const std::vector<T>& values) {
  return static_cast<int64_t>(values.size() * sizeof(T));
}

PackedLayout LayoutOf(const QuantizedMatrix& matrix) {
  const Nf4Tensor& nf4 = matrix.nf4();
  const Int8Matrix& int8 = matrix.int8();
  PackedLayout layout;
  layout.scales = static_cast<int64_t>(sizeof(Nf4Values()) + sizeof(DynamicMap()));
  layout.scale_codes = layout.scales + BytesIn(nf4.scales) + BytesIn(int8.scales);
  layout.codes = layout.scale_codes + BytesIn(nf4.scale_codes);
  layout.end = layout.codes + BytesIn(nf4.codes) + BytesIn(int8.codes);
  return layout;
}

template <typename Values>
char* Append(const Values& values, char* to) {
  const size_t bytes = values.size() * sizeof(values[0]);
  if (bytes > 0) std::memcpy(to, values.data(), bytes);
  return to + bytes;
}

int64_t TileOf(int64_t elements, int64_t across) {
  return std::max(kTileStep, elements / std::max<int64_t>(1, across) / kTileStep * kTileStep);
}

}  // namespace

void FrozenProducts::Pack(FrozenMatrix* w) {
  if (w->quantized == nullptr || w->packed.defined()) return;
  const QuantizedMatrix& matrix = *w->quantized;
  at::Tensor bytes = at::empty({LayoutOf(matrix).end}, at::kByte);
  char* to = static_cast<char*>(bytes.mutable_data_ptr());
  to = Append(Nf4Values(), to);
  to = Append(DynamicMap(), to);
  to = Append(matrix.nf4().scales, to);
  to = Append(matrix.int8().scales, to);
  to = Append(matrix.nf4().scale_codes, to);
  to = Append(matrix.nf4().codes, to);
  Append(matrix.int8().codes, to);
  w->packed = bytes.to(buffers_->device());
}

bool FrozenProducts::CanForward(const at::Tensor& x, const FrozenMatrix& w, const at::Tensor& y) {
  return CanRead(w) && ReadableAs(TypeOf(w), x) && (IsFloat(y) || ReadableAs(TypeOf(w), y));
}

bool FrozenProducts::CanBackward(const std::vector<GradientTerm>& terms, const at::Tensor& dx) {
  for (const GradientTerm& term : terms) {
    const at::ScalarType type = TypeOf(term.w);
    if (!CanRead(term.w) || !(IsFloat(term.dy) || ReadableAs(type, term.dy)) ||
        !(IsFloat(dx) || ReadableAs(type, dx))) {
      return false;
    }
  }
  return !terms.empty();
}

void FrozenProducts::Forward(const at::Tensor& x, const FrozenMatrix& w, at::Tensor& y) {
  if (w.quantized == nullptr) return Multiply(x, w.plain.t(), false, y);
  const int64_t tile = TileOf(tile_elements_, w.in);
  for (int64_t row = 0; row < w.out; row += tile) {
    const int64_t rows = std::min(tile, w.out - row);
    at::Tensor part = y.narrow(1, row, rows);
    Multiply(x, Restore(w, row, rows, 0, w.in).t(), false, part);
  }
}

void FrozenProducts::Backward(const std::vector<GradientTerm>& terms, at::Tensor& dx) {
  bool add = false;
  for (const GradientTerm& term : terms) {
    const FrozenMatrix& w = term.w;
    const at::Tensor dy = Narrowed(term.dy, TypeOf(w));
    if (w.quantized == nullptr) {
      Multiply(dy, w.plain, add, dx);
    } else {
      const int64_t tile = TileOf(tile_elements_, w.out);
      for (int64_t column = 0; column < w.in; column += tile) {
        const int64_t columns = std::min(tile, w.in - column);
        at::Tensor part = dx.narrow(1, column, columns);
        Multiply(dy, Restore(w, 0, w.out, column, columns), add, part);
      }
    }
    add = true;
  }
}

at::Tensor FrozenProducts::Narrowed(const at::Tensor& dy, at::ScalarType type) {
  if (dy.scalar_type() == type) return dy;
  at::Tensor narrow = buffers_->Get(DeviceBuffers::kNarrowed, dy.sizes(), type);
  narrow.copy_(dy);
  return narrow;
}

at::Tensor FrozenProducts::Restore(const FrozenMatrix& w, int64_t row, int64_t rows, int64_t column,
                                   int64_t columns) {
  at::Tensor tile = buffers_->Get(DeviceBuffers::kTile, {rows, columns}, w.type);
  const PackedLayout layout = LayoutOf(*w.quantized);
  const char* const bytes = static_cast<const char*>(w.packed.const_data_ptr());
  const bool nf4 = w.quantized->is_nf4();
  device::RestoreArguments a{};
  a.codes = bytes + layout.codes;
  a.scales = reinterpret_cast<const float*>(bytes + layout.scales);
  if (nf4 && w.quantized->nf4().nested()) {
    a.scale_codes = reinterpret_cast<const unsigned char*>(bytes + layout.scale_codes);
    a.offset = w.quantized->nf4().offset;
  }
  a.values = reinterpret_cast<const float*>(bytes + layout.values);
  a.out = tile.mutable_data_ptr();
  a.row = row;
  a.column = column;
  a.matrix_columns = w.in;
  a.rows = static_cast<int>(rows);
  a.columns = static_cast<int>(columns);
  LaunchKernel(*launcher_, absl::StrCat(nf4 ? "scm_restore_nf4" : "scm_restore_int8", Suffix(tile)),
               {static_cast<unsigned>(BlocksOf(columns, device::kThreads)),
                static_cast<unsigned>(std::min(rows, kMostGridRows))},
               a);
  return tile;
}

}  // namespace scm::trainer
