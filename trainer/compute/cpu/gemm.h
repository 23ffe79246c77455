// Matrix products: C = residual + mask ∘ Σ_t scale_t · A_t·B_t. B comes in packed strips of kStrip
// columns, packed once for a frozen matrix, else by all threads, a group of strips at a time; a
// part of them stays in the shared cache. Each task packs some rows of A, which stay in its
// second-level cache, and passes by the strips: one block of k of one strip stays in the
// first-level cache while register tiles of kRows × kStrip go down the rows (the loops of Van Zee
// and van de Geijn, "BLIS", ACM TOMS 2015, after Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", ACM TOMS 2008). Types are converted while packing: all
// arithmetic is fp32, but for products with a bf16 matrix where the CPU has instructions for them
// (cpu/pairs.h). Sums are fp32 everywhere.
#pragma once

#include "trainer/compute/cpu/gemm_plan.h"
#include "trainer/compute/cpu/pack_matrix.h"
#include "trainer/compute/cpu/pair_tile.h"
#include "trainer/compute/cpu/tile.h"

namespace scm::trainer {
namespace SCM_ISA {

// One thread's packed rows, and its sums of one strip.
struct GemmScratch {
  Scratch packed_a, sums;
};

// Rows [row, row + rows) of a block of A in the order of the tile that reads them.
template <typename T>
inline void PackPairsA(const GemmTerm& t, const Block& block, int64_t row, int64_t rows,
                       float* out) {
  const int64_t begin = 2 * block.begin;
  PackPairRows(static_cast<const T*>(t.a.data) + row * t.a.stride + begin, t.a.stride, rows,
               block.length, t.k - begin, out);
}
inline void PackA(const GemmTerm& t, const Block& block, int64_t row, int64_t rows, float* out) {
  const int64_t at = row * t.a.stride + block.begin;
  if (UsesPairs(t)) {
    return t.a.type == Element::kFloat ? PackPairsA<float>(t, block, row, rows, out)
                                       : PackPairsA<BFloat16>(t, block, row, rows, out);
  }
  if (t.a.type == Element::kFloat) {
    PackColumns(static_cast<const float*>(t.a.data) + at, t.a.stride, rows, block.length,
                t.a_dropout, row, block.begin, out);
  } else {
    PackColumns(static_cast<const BFloat16*>(t.a.data) + at, t.a.stride, rows, block.length,
                t.a_dropout, row, block.begin, out);
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
__attribute__((noinline)) inline void FinishTile(const GemmCall& c, int64_t row, int64_t rows,
                                                 int64_t column, int64_t columns, const float* tile,
                                                 int64_t tile_stride) {
  const bool f_in = c.residual.data == nullptr || c.residual.type == Element::kFloat;
  const bool f_out = c.out.type == Element::kFloat;
  if (f_in && f_out) Finish<float, float>(c, row, rows, column, columns, tile, tile_stride);
  if (f_in && !f_out) Finish<float, BFloat16>(c, row, rows, column, columns, tile, tile_stride);
  if (!f_in && f_out) Finish<BFloat16, float>(c, row, rows, column, columns, tile, tile_stride);
  if (!f_in && !f_out) Finish<BFloat16, BFloat16>(c, row, rows, column, columns, tile, tile_stride);
}

// What is not packed yet of strip `strip` of B, over the whole depth of a chunk.
template <int NV>
inline void PackStrip(const GemmCall& c, const GemmPlan& plan, const Chunk& chunk, int64_t strip,
                      float* out) {
  constexpr int64_t kWidth = NV * kLanes;
  const int64_t column = strip * kWidth;
  const int64_t columns = c.n - column < kWidth ? c.n - column : kWidth;
  for (int i = chunk.first; i < chunk.last; ++i) {
    const Block& block = plan.blocks[i];
    if (c.terms[block.term].packed_b != nullptr) continue;
    PackB<NV>(c.terms[block.term], block, column, columns, out);
    out += block.length * kWidth;
  }
}

// Asks the memory for a tile's rows of the strip that begins at `column`: what the results replace,
// and the residual. Addresses beyond the matrix do no harm.
inline void FetchRow(ConstMatrix m, int64_t row, int64_t column, int64_t width) {
  const int64_t size = m.type == Element::kFloat ? sizeof(float) : sizeof(BFloat16);
  const char* at = static_cast<const char*>(m.data) + (row * m.stride + column) * size;
  for (int64_t i = 0; i < width * size; i += kLineBytes) __builtin_prefetch(at + i, 1);
}
inline void FetchResults(const GemmCall& c, int64_t row, int64_t rows, int64_t column,
                         int64_t width) {
  for (int64_t r = row; r < row + rows; ++r) {
    FetchRow({c.out.data, c.out.type, c.out.stride}, r, column, width);
    if (c.residual.data != nullptr && c.residual.data != c.out.data) {
      FetchRow(c.residual, r, column, width);
    }
  }
}

// Some rows against strips [first_strip, last_strip) of a group, for one chunk of k.
struct Task {
  int chunk;
  int64_t row, rows;
  int64_t group, first_strip, last_strip;
};

// Rows of the tile that multiplies a term.
inline int64_t TileRowsOf(const GemmTerm& t) { return UsesPairs(t) ? kPairRows : kRows; }

// The task's rows as [block][tile of some rows], each tile as it is read.
__attribute__((noinline)) inline void PackRows(const GemmCall& c, const GemmPlan& plan,
                                               const Task& task, float* out) {
  const Chunk& chunk = plan.chunks[task.chunk];
  const int64_t padded_rows = RoundUp(task.rows, plan.row_unit);
  for (int64_t r0 = 0; r0 < task.rows; r0 += plan.row_unit) {
    float* to = out;
    for (int i = chunk.first; i < chunk.last; ++i) {
      const Block& block = plan.blocks[i];
      const GemmTerm& term = c.terms[block.term];
      const int64_t step = TileRowsOf(term);
      for (int64_t r = r0; r < task.rows && r < r0 + plan.row_unit; r += step) {
        const int64_t here = task.rows - r < step ? task.rows - r : step;
        PackA(term, block, task.row + r, here, to + r * block.length);
      }
      to += padded_rows * block.length;
    }
  }
}

// Blocks of a strip as they are read: where one lies, and what is read after it.
struct BlockData {
  const float *now, *next;  // next is null at the task's end
};

// `loose` is what was packed now of the strip; `more`: another strip of the task follows.
inline BlockData Locate(const GemmCall& c, const GemmPlan& plan, const Task& task, int i,
                        int64_t width, int64_t strip, bool more, const float* loose) {
  const Chunk& chunk = plan.chunks[task.chunk];
  const Block& block = plan.blocks[i];
  const GemmTerm& term = c.terms[block.term];
  const bool packed = term.packed_b != nullptr;
  const float* now = packed ? term.packed_b + (strip * DepthOf(term) + block.begin) * width : loose;
  if (i + 1 < chunk.last && plan.blocks[i + 1].term == block.term) {
    return {now, now + block.length * width};
  }
  if (!more) return {now, nullptr};
  // The term's first block in the next strip.
  int64_t back = 0;
  for (int j = i - 1; j >= chunk.first && plan.blocks[j].term == block.term; --j) {
    back += plan.blocks[j].length;
  }
  return {now, now + ((packed ? DepthOf(term) : LooseDepth(plan, chunk)) - back) * width};
}

// Results that need no more than their sum, in the type of the sums: tiles can write them.
inline bool IsPlain(const GemmCall& c) {
  return c.residual.data == nullptr && c.out_dropout.threshold == 0 &&
         c.out.type == Element::kFloat;
}

// What a tile's sums go on from: rows of `start`, zero beyond them and beyond its columns.
__attribute__((noinline)) inline void LoadStart(const GemmCall& c, int64_t row, int64_t rows,
                                                int64_t all_rows, int64_t column, int64_t columns,
                                                int64_t width, float* sums) {
  for (int64_t r = 0; r < all_rows; ++r) {
    const float* from = c.start + (row + r) * c.n + column;
    for (int64_t i = 0; i < width; i += kLanes) {
      const int64_t left = r < rows ? columns - i : 0;
      const VecF x = left >= kLanes ? Load(from + i) : left > 0 ? LoadPart(from + i, left) : VecF{};
      Store(sums + r * width + i, x);
    }
  }
}

// sums[rows, width of a strip] (+)= packed rows · strip `strip`, of which `loose` was packed now.
// The tiles of one block leave the memory time to bring the next one. The last tile of some rows
// leaves it time to bring what their results replace; then they are written.
template <int NV>
inline void AddStrip(const GemmCall& c, const GemmPlan& plan, const Task& task, int64_t strip,
                     bool more, const float* rows, const float* loose, float* sums) {
  constexpr int64_t kWidth = NV * kLanes;
  const Chunk& chunk = plan.chunks[task.chunk];
  const int64_t padded_rows = RoundUp(task.rows, plan.row_unit), column = strip * kWidth;
  const int64_t columns = c.n - column < kWidth ? c.n - column : kWidth;
  const bool plain = columns == kWidth && IsPlain(c);
  for (int i = chunk.first; i < chunk.last; ++i) {
    const Block& block = plan.blocks[i];
    const BlockData b = Locate(c, plan, task, i, kWidth, strip, more, loose);
    if (b.now == loose) loose += block.length * kWidth;
    const GemmTerm& term = c.terms[block.term];
    const bool pairs = UsesPairs(term);
    const int64_t step = TileRowsOf(term);
    Fetch next(b.next, block.length * kWidth, CeilDiv(task.rows, step));
    const bool first = task.chunk == 0 && i == chunk.first;
    const bool last = i + 1 == chunk.last && task.chunk + 1 == plan.chunk_count;
    for (int64_t r = 0; r < task.rows; r += step) {
      const int64_t row = task.row + r, here = task.rows - r < step ? task.rows - r : step;
      float *sum = sums + r * kWidth, *to = sum;
      int64_t to_stride = kWidth;
      const bool writes = last && plain && here == step;
      if (writes) {
        to = static_cast<float*>(c.out.data) + row * c.out.stride + column;
        to_stride = c.out.stride;
      }
      next.Share();
      if (last) FetchResults(c, row, step, column, kWidth);
      if (first && c.start != nullptr) {
        LoadStart(c, row, here, step, column, columns, kWidth, sum);
      }
      const float* a = rows + r * block.length;
      const float* add = first && c.start == nullptr ? nullptr : sum;
      if constexpr (kPairs && NV == kPairVectors) {
        if (pairs) PairTile<NV>(a, block.length, b.now, add, kWidth, to, to_stride, here);
      }
      if (!pairs) {
        TileProduct<NV, Layout::kColumnMajor>(a, kRows, block.length, 1, 0, b.now, add, kWidth, to,
                                              to_stride);
      }
      if (last && !writes) FinishTile(c, row, here, column, columns, sum, kWidth);
    }
    rows += padded_rows * block.length;
  }
}

// What the threads of one product share: what is packed now of a group of strips of B, and the
// group's sums of all rows while they wait for the next chunk (null when there is one).
struct GroupBuffers {
  float *loose, *waiting;
};

template <int NV>
inline void RunTask(const GemmCall& c, const GemmPlan& plan, const Task& task,
                    const GroupBuffers& buffers, GemmScratch* scratch) {
  constexpr int64_t kWidth = NV * kLanes;
  const Chunk& chunk = plan.chunks[task.chunk];
  const int64_t loose_floats = LooseDepth(plan, chunk) * kWidth;
  const float* loose = buffers.loose + LooseBegin(plan, chunk) * kWidth;
  float* rows = scratch->packed_a.Get(plan.whole_rows * plan.deepest);
  float* own_sums = scratch->sums.Get(plan.whole_rows * kWidth);
  if (task.first_strip < task.last_strip) PackRows(c, plan, task, rows);
  for (int64_t s = task.first_strip; s < task.last_strip; ++s) {
    float* sums = own_sums;
    if (buffers.waiting != nullptr) {
      sums = buffers.waiting + (s * RoundUp(c.m, plan.row_unit) + task.row) * kWidth;
    }
    const int64_t strip = task.group * plan.group_strips + s;
    AddStrip<NV>(c, plan, task, strip, s + 1 < task.last_strip, rows, loose + s * loose_floats,
                 sums);
  }
}

// What a round's chunks need of a strip, the group's `place`-th.
template <int NV>
inline void PackRound(const GemmCall& c, const GemmPlan& plan, int first, int last, int64_t strip,
                      int64_t place, const GroupBuffers& buffers) {
  for (int i = first; i < last; ++i) {
    const Chunk& chunk = plan.chunks[i];
    const int64_t at = place * LooseDepth(plan, chunk) + LooseBegin(plan, chunk);
    PackStrip<NV>(c, plan, chunk, strip, buffers.loose + at * NV * kLanes);
  }
}

// Task `index` of a group of `strips`: the tasks of one part lie together.
inline Task MakeTask(const GemmCall& c, const GemmPlan& plan, int64_t group, int64_t strips,
                     int chunk, int64_t index) {
  const int64_t tasks = plan.row_tasks * plan.column_tasks;
  const int64_t begin = index / tasks * plan.part_strips, within = index % tasks;
  const int64_t here = strips - begin < plan.part_strips ? strips - begin : plan.part_strips;
  const int64_t column = within % plan.column_tasks;
  Task task;
  task.chunk = chunk;
  const int64_t row = within / plan.column_tasks, piece = row - plan.whole_tasks;
  const int64_t most = piece < 0 ? plan.whole_rows : plan.piece_rows;
  task.row = piece < 0 ? row * most : plan.whole_tasks * plan.whole_rows + piece * most;
  task.rows = c.m - task.row < most ? c.m - task.row : most;
  task.group = group;
  task.first_strip = begin + column * here / plan.column_tasks;
  task.last_strip = begin + (column + 1) * here / plan.column_tasks;
  return task;
}

// The work of each thread: loops with a barrier at their end take turns between packing and
// multiplying. Where all chunks are one round, a task runs through them without waiting.
template <int NV>
inline void RunPlan(const GemmCall& c, const GemmPlan& plan, const GroupBuffers& buffers) {
  static thread_local GemmScratch scratch;
  const MatrixTiles shape(plan.matrix_tiles);
  for (int64_t group = 0; group * plan.group_strips < plan.strips; ++group) {
    const int64_t first = group * plan.group_strips, left = plan.strips - first;
    const int64_t strips = left < plan.group_strips ? left : plan.group_strips;
    const int64_t tasks = CeilDiv(strips, plan.part_strips) * plan.row_tasks * plan.column_tasks;
    for (int i = 0; i < plan.chunk_count; i += plan.round_chunks) {
      const int end = i + plan.round_chunks;
      if (LooseDepth(plan, plan.chunks[i]) > 0) {
#pragma omp for schedule(dynamic, 1)
        for (int64_t s = 0; s < strips; ++s) PackRound<NV>(c, plan, i, end, first + s, s, buffers);
      }
#pragma omp for schedule(dynamic, 1)
      for (int64_t t = 0; t < tasks; ++t) {
        for (int j = i; j < end; ++j) {
          RunTask<NV>(c, plan, MakeTask(c, plan, group, strips, j, t), buffers, &scratch);
        }
      }
    }
  }
}

template <int NV>
inline void GemmOfStrips(const GemmCall& c) {
  if (c.m == 0 || c.n == 0) return;
  static thread_local GemmPlan plan;
  static thread_local Scratch loose, waiting;
  MakePlan(c, NV * kLanes, MaxThreads(), &plan);
  const GemmPlan& cut = plan;
  const int64_t columns = cut.group_strips * NV * kLanes;
  const int64_t depth = cut.round_chunks > 1 ? cut.loose : cut.loosest;
  GroupBuffers buffers = {loose.Get(depth * columns), nullptr};
  if (cut.chunk_count > 1) buffers.waiting = waiting.Get(RoundUp(c.m, cut.row_unit) * columns);
#pragma omp parallel
  RunPlan<NV>(c, cut, buffers);
}

inline bool AnyPairs(const GemmCall& c) {
  bool any = false;
  for (int64_t t = 0; t < c.term_count; ++t) any = any || UsesPairs(c.terms[t]);
  return any;
}

// Narrow products (the down projections of adapters) take narrow strips.
inline void Gemm(const GemmCall& c) {
  if (AnyPairs(c)) {
    GemmOfStrips<kPairVectors>(c);
  } else if (c.n <= kLanes) {
    GemmOfStrips<1>(c);
  } else if (c.n <= 2 * kLanes) {
    GemmOfStrips<2>(c);
  } else {
    GemmOfStrips<kStripVectors>(c);
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
