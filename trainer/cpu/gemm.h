// Matrix products: C = residual + mask ∘ Σ_t scale_t · A_t·B_t. All threads pack a part of B into
// strips of kStrip columns, which stay in the shared cache. Then each task packs some rows of A,
// which stay in its second-level cache, and passes by the strips: one block of k of one strip stays
// in the first-level cache while register tiles of kRows × kStrip go down the rows (the loops of
// Van Zee and van de Geijn, "BLIS", ACM TOMS 2015, after Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 2008). Types are converted while packing, so
// all arithmetic is fp32.
#pragma once

#include "trainer/cpu/gemm_plan.h"
#include "trainer/cpu/tile.h"

namespace scm {
namespace SCM_ISA {

// One thread's packed rows, and its sums of one strip.
struct GemmScratch {
  Scratch packed_a, sums;
};
// What the threads of a product share: packed B, and sums that wait for the next chunk of k.
struct GemmShared {
  Scratch packed_b, sums;
};

// Rows [row, row + rows) of a block of A as columns of kRows.
inline void PackA(const GemmTerm& t, const Block& block, int64_t row, int64_t rows, float* out) {
  const int64_t at = row * t.a.stride + block.begin;
  if (t.a.type == Element::kFloat) {
    PackColumns(static_cast<const float*>(t.a.data) + at, t.a.stride, rows, block.length,
                t.a_dropout, row, block.begin, out);
  } else {
    PackColumns(static_cast<const BFloat16*>(t.a.data) + at, t.a.stride, rows, block.length,
                t.a_dropout, row, block.begin, out);
  }
}

template <int NV, typename T>
inline void PackTerm(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                     float* out) {
  const T* b = static_cast<const T*>(t.b.data);
  if (t.b_transposed) {
    PackTransposed<NV>(b + column * t.b.stride + block.begin, t.b.stride, block.length, columns,
                       t.scale, out);
  } else {
    PackStraight<NV>(b + block.begin * t.b.stride + column, t.b.stride, block.length, columns,
                     t.scale, out);
  }
}
template <int NV>
inline void PackB(const GemmTerm& t, const Block& block, int64_t column, int64_t columns,
                  float* out) {
  if (t.b.type == Element::kFloat) {
    PackTerm<NV, float>(t, block, column, columns, out);
  } else {
    PackTerm<NV, BFloat16>(t, block, column, columns, out);
  }
}

// Writes one finished fp32 tile: adds the residual, applies the mask, rounds to the output type.
template <typename TR, typename TO>
inline void Finish(const GemmCall& c, int64_t row, int64_t rows, int64_t column, int64_t columns,
                   const float* tile, int64_t tile_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* from = tile + r * tile_stride;
    TO* to = static_cast<TO*>(c.out.data) + (row + r) * c.out.stride + column;
    const TR* residual = c.residual.data == nullptr ? nullptr
                                                    : static_cast<const TR*>(c.residual.data) +
                                                          (row + r) * c.residual.stride + column;
    RowKeys keys{};
    if (c.out_dropout.threshold != 0) keys = MakeRowKeys(c.out_dropout, row + r);
    for (int64_t i = 0; i < columns; i += kLanes) {
      const int64_t left = columns - i;
      VecF x = Load(from + i);
      if (c.out_dropout.threshold != 0) x *= DropoutFactors(c.out_dropout, keys, column + i);
      if (residual != nullptr) {
        x += left >= kLanes ? Load(residual + i) : LoadPart(residual + i, left);
      }
      if (left >= kLanes) {
        Store(to + i, x);
      } else {
        StorePart(to + i, x, left);
      }
    }
  }
}
inline void FinishTile(const GemmCall& c, int64_t row, int64_t rows, int64_t column,
                       int64_t columns, const float* tile, int64_t tile_stride) {
  const bool f_in = c.residual.data == nullptr || c.residual.type == Element::kFloat;
  const bool f_out = c.out.type == Element::kFloat;
  if (f_in && f_out) Finish<float, float>(c, row, rows, column, columns, tile, tile_stride);
  if (f_in && !f_out) Finish<float, BFloat16>(c, row, rows, column, columns, tile, tile_stride);
  if (!f_in && f_out) Finish<BFloat16, float>(c, row, rows, column, columns, tile, tile_stride);
  if (!f_in && !f_out) Finish<BFloat16, BFloat16>(c, row, rows, column, columns, tile, tile_stride);
}

// One strip of B from `column` on, over the whole depth of a chunk.
template <int NV>
inline void PackStrip(const GemmCall& c, const GemmPlan& plan, const Chunk& chunk, int64_t column,
                      float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  const int64_t columns = c.n - column < kWidth ? c.n - column : kWidth;
  for (int i = chunk.first; i < chunk.last; ++i) {
    const Block& block = plan.blocks[i];
    PackB<NV>(c.terms[block.term], block, column, columns, out);
    out += block.length * kWidth;
  }
}

// Some rows against some of the packed strips, for one chunk of k.
struct Task {
  int chunk;
  int64_t row, rows;
  int64_t part_column;  // of the product, where the packed part begins
  int64_t first_strip, last_strip;
};

// The task's rows as [block][tile of kRows rows][column][kRows].
inline void PackRows(const GemmCall& c, const GemmPlan& plan, const Task& task, float* out) {
  const Chunk& chunk = plan.chunks[task.chunk];
  const int64_t padded_rows = RoundUp(task.rows, kRows);
  for (int64_t r = 0; r < task.rows; r += kRows) {
    const int64_t here = task.rows - r < kRows ? task.rows - r : kRows;
    float* to = out;
    for (int i = chunk.first; i < chunk.last; ++i) {
      const Block& block = plan.blocks[i];
      PackA(c.terms[block.term], block, task.row + r, here, to + r * block.length);
      to += padded_rows * block.length;
    }
  }
}

// sums[rows, width of a strip] (+)= packed rows · one packed strip.
template <int NV>
inline void AddStrip(const GemmPlan& plan, const Task& task, const float* rows, const float* strip,
                     float* sums) {
  constexpr int64_t kWidth = NV * kLanes;
  const Chunk& chunk = plan.chunks[task.chunk];
  const int64_t padded_rows = RoundUp(task.rows, kRows);
  for (int i = chunk.first; i < chunk.last; ++i) {
    const int64_t length = plan.blocks[i].length;
    for (int64_t r = 0; r < task.rows; r += kRows) {
      TileProduct<NV, Layout::kColumnMajor>(rows + r * length, kRows, length, 1, 0, strip,
                                            sums + r * kWidth, kWidth,
                                            task.chunk > 0 || i > chunk.first);
    }
    rows += padded_rows * length;
    strip += length * kWidth;
  }
}

// `waiting` holds the sums of all rows and packed strips between chunks; null when there is one.
template <int NV>
inline void RunTask(const GemmCall& c, const GemmPlan& plan, const Task& task, const float* packed,
                    float* waiting, GemmScratch* scratch) {
  constexpr int64_t kWidth = NV * kLanes;
  const int64_t depth = plan.chunks[task.chunk].depth;
  float* rows = scratch->packed_a.Get(plan.task_rows * plan.deepest);
  float* own_sums = scratch->sums.Get(plan.task_rows * kWidth);
  PackRows(c, plan, task, rows);
  for (int64_t s = task.first_strip; s < task.last_strip; ++s) {
    float* sums = own_sums;
    if (waiting != nullptr) {
      sums = waiting + (s * plan.row_tasks * plan.task_rows + task.row) * kWidth;
    }
    AddStrip<NV>(plan, task, rows, packed + s * depth * kWidth, sums);
    if (task.chunk + 1 < plan.chunk_count) continue;
    const int64_t column = task.part_column + s * kWidth, left = c.n - column;
    FinishTile(c, task.row, task.rows, column, left < kWidth ? left : kWidth, sums, kWidth);
  }
}

// The work of each thread: loops with a barrier at their end take turns between packing and
// multiplying.
template <int NV>
inline void RunPlan(const GemmCall& c, const GemmPlan& plan, float* packed, float* waiting) {
  constexpr int64_t kWidth = NV * kLanes;
  static thread_local GemmScratch scratch;
  for (int64_t first = 0; first < plan.strips; first += plan.part_strips) {
    const int64_t left = plan.strips - first;
    const int64_t strips = left < plan.part_strips ? left : plan.part_strips;
    for (int chunk = 0; chunk < plan.chunk_count; ++chunk) {
      const int64_t depth = plan.chunks[chunk].depth;
#pragma omp for schedule(dynamic, 1)
      for (int64_t s = 0; s < strips; ++s) {
        PackStrip<NV>(c, plan, plan.chunks[chunk], (first + s) * kWidth,
                      packed + s * depth * kWidth);
      }
#pragma omp for schedule(dynamic, 1)
      for (int64_t t = 0; t < plan.row_tasks * plan.column_tasks; ++t) {
        const int64_t row = t / plan.column_tasks * plan.task_rows, part = t % plan.column_tasks;
        const int64_t rows = c.m - row < plan.task_rows ? c.m - row : plan.task_rows;
        const Task task = {chunk,
                           row,
                           rows,
                           first * kWidth,
                           part * strips / plan.column_tasks,
                           (part + 1) * strips / plan.column_tasks};
        RunTask<NV>(c, plan, task, packed, waiting, &scratch);
      }
    }
  }
}

template <int NV>
inline void GemmOfStrips(const GemmCall& c) {
  if (c.m == 0 || c.n == 0) return;
  constexpr int64_t kWidth = NV * kLanes;
  static thread_local GemmPlan plan;
  static thread_local GemmShared shared;
  MakePlan(c, kWidth, MaxThreads(), &plan);
  const GemmPlan& cut = plan;
  float* packed = shared.packed_b.Get(cut.deepest * cut.part_strips * kWidth);
  float* waiting = nullptr;
  if (cut.chunk_count > 1) {
    waiting = shared.sums.Get(cut.row_tasks * cut.task_rows * cut.part_strips * kWidth);
  }
#pragma omp parallel
  RunPlan<NV>(c, cut, packed, waiting);
}

// Narrow products (the down projections of adapters) take narrow strips.
inline void Gemm(const GemmCall& c) {
  if (c.n <= kLanes) {
    GemmOfStrips<1>(c);
  } else if (c.n <= 2 * kLanes) {
    GemmOfStrips<2>(c);
  } else {
    GemmOfStrips<kStripVectors>(c);
  }
}

}  // namespace SCM_ISA
}  // namespace scm
