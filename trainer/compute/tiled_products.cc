#include "trainer/compute/tiled_products.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

namespace scm::trainer {
namespace {

// Rows or columns of a tile: whole blocks, and whole strips of the kernels' widest kind. A rest
// that is so narrow that the kernels would cut its product in another way joins the tile before it.
constexpr int64_t kTile = 192;
constexpr int64_t kNarrowest = 64;

// Where the tile that begins at `begin` ends, of `all` rows or columns.
int64_t TileEnd(int64_t begin, int64_t all) {
  return all - begin - kTile < kNarrowest ? all : begin + kTile;
}

void RestoreRows(const QuantizedMatrix& matrix, int64_t row, int64_t rows, int64_t column,
                 int64_t columns, at::Tensor& out) {
  float* wide = nullptr;
  uint16_t* half = nullptr;
  if (out.scalar_type() == at::kFloat) {
    wide = out.mutable_data_ptr<float>();
  } else {
    half = static_cast<uint16_t*>(out.mutable_data_ptr());
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    if (wide != nullptr) {
      matrix.Read(row + i, column, columns, wide + i * columns);
    } else {
      matrix.ReadBFloat16(row + i, column, columns, half + i * columns);
    }
  }
}

}  // namespace

at::Tensor TiledProducts::Restore(size_t place, const FrozenMatrix& w, int64_t row, int64_t rows,
                                  int64_t column, int64_t columns, const at::Device& device) {
  if (buffers_.size() <= place) buffers_.resize(place + 1);
  at::Tensor& buffer = buffers_[place];
  const int64_t count = rows * columns;
  if (!buffer.defined() || buffer.scalar_type() != w.type || buffer.numel() < count) {
    buffer = at::empty({count}, w.type);
  }
  at::Tensor tile = buffer.narrow(0, 0, count).view({rows, columns});
  RestoreRows(*w.quantized, row, rows, column, columns, tile);
  return tile.to(device);
}

void TiledProducts::Linear(Kernels& kernels, const at::Tensor& x, const FrozenMatrix& w,
                           const LoraTerm* lora, const at::Tensor& residual, at::Tensor& y) {
  LinearOfBlocks(kernels, x, w, {{0, x.size(0), lora == nullptr ? LoraTerm() : *lora}}, residual,
                 y);
}

void TiledProducts::LinearOfBlocks(Kernels& kernels, const at::Tensor& x, const FrozenMatrix& w,
                                   const std::vector<LoraBlock>& blocks, const at::Tensor& residual,
                                   at::Tensor& y) {
  for (int64_t begin = 0, end; begin < w.out; begin = end) {
    end = TileEnd(begin, w.out);
    const int64_t rows = end - begin;
    const FrozenMatrix tile(Restore(0, w, begin, rows, 0, w.in, x.device()));
    std::vector<LoraBlock> parts = blocks;
    for (LoraBlock& part : parts) {
      if (part.term.u.defined()) part.term.b = part.term.b.narrow(0, begin, rows);
    }
    at::Tensor out = y.narrow(1, begin, rows);
    kernels.LinearOfBlocks(x, tile, parts,
                           residual.defined() ? residual.narrow(1, begin, rows) : residual, out);
  }
}

void TiledProducts::LinearBackward(Kernels& kernels, const std::vector<GradientTerm>& terms,
                                   at::Tensor& dx) {
  const int64_t all = dx.size(1);
  for (int64_t begin = 0, end; begin < all; begin = end) {
    end = TileEnd(begin, all);
    const int64_t columns = end - begin;
    std::vector<GradientTerm> parts;
    for (const GradientTerm& term : terms) {
      const FrozenMatrix& w = term.w;
      parts.push_back({term.dy, w.quantized != nullptr ? Restore(parts.size(), w, 0, w.out, begin,
                                                                 columns, dx.device())
                                                       : w.plain.narrow(1, begin, columns)});
    }
    at::Tensor out = dx.narrow(1, begin, columns);
    kernels.LinearBackward(parts, out);
  }
}

}  // namespace scm::trainer
