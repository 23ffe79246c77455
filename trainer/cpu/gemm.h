// Matrix products: C = residual + mask ∘ Σ_t scale_t · A_t·B_t. B is packed on the fly into strips
// of kStrip columns that stay in the second-level cache while the rows of A pass by; a register
// tile of kRows × kStrip is summed over a whole block of k (after Goto and van de Geijn, "Anatomy
// of high-performance matrix multiplication", ACM TOMS 2008, with the strip of B in L2 and rows of
// A read in place). Types are converted while packing, so all arithmetic is fp32.
#pragma once

#include "trainer/cpu/functions.h"
#include "trainer/cpu/pack.h"

namespace scm {
namespace SCM_ISA {

// Sizes for the caches of a core that two hardware threads may share (1 MiB L2 or more).
constexpr int64_t kSingleDepth = 640;       // up to this depth of k there is one panel
constexpr int64_t kPanelDepth = 288;        // beyond, panels of at most this depth
constexpr int64_t kPackFloats = 84 * 1024;  // of packed B at a time
constexpr int64_t kPanelRows = 512;         // rows whose sums are kept between panels

// One block of k of one term, the unit of packing.
struct Block {
  int64_t term, begin, length;
};

// Where one thread keeps its packed data.
struct GemmScratch {
  Scratch packed_b, packed_a, tile;
};

inline bool DirectRows(const GemmTerm& t, int64_t rows) {
  if (t.a.type != Element::kFloat || t.a_dropout.threshold != 0 || rows < kRows) return false;
  // Rows that fall into few sets of the first-level cache evict each other.
  const int64_t lines = t.a.stride * 4 / 64 % 64;
  return lines % 16 != 0 || t.k <= 32;
}

inline int64_t ElementSize(Element type) { return type == Element::kFloat ? 4 : 2; }

// Where the next rows of A begin, to fetch them early; reading is never done through it.
inline const char* NextRows(const GemmTerm& t, int64_t row, const Block& block) {
  return static_cast<const char*>(t.a.data) +
         (row * t.a.stride + block.begin) * ElementSize(t.a.type);
}

// Copies rows [row, row + rows) of a block of A as fp32, masked; missing rows are zero.
inline void PrepareA(const GemmTerm& t, const Block& block, int64_t row, int64_t rows, float* out,
                     int64_t stride) {
  for (int64_t r = 0; r < kRows; ++r) {
    float* to = out + r * stride;
    if (r >= rows) {
      for (int64_t k = 0; k < block.length; ++k) to[k] = 0;
    } else if (t.a.type == Element::kFloat) {
      CopyRow(static_cast<const float*>(t.a.data) + (row + r) * t.a.stride + block.begin,
              block.length, t.a_dropout, row + r, block.begin, 1.0f, to);
    } else {
      CopyRow(static_cast<const BFloat16*>(t.a.data) + (row + r) * t.a.stride + block.begin,
              block.length, t.a_dropout, row + r, block.begin, 1.0f, to);
    }
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

// The blocks of k, grouped into panels whose packed B fits kPackFloats; and the grid of tasks.
struct GemmPlan {
  static constexpr int kMaxBlocks = 512;
  Block blocks[kMaxBlocks];
  int block_count = 0;
  int panel_begin[kMaxBlocks + 1] = {};
  int panel_count = 0;
  int64_t strip = 0;  // columns of one strip
  int64_t task_columns = 0, task_rows = 0, column_tasks = 0, row_tasks = 0, deepest = 0;
};

// Cuts the terms into blocks and groups them into panels of about equal depth.
inline void PlanPanels(const GemmCall& c, GemmPlan* plan) {
  int64_t total = 0;
  for (int64_t t = 0; t < c.term_count; ++t) total += c.terms[t].k;
  int64_t panels = total <= kSingleDepth ? 1 : (total + kPanelDepth - 1) / kPanelDepth;
  const int64_t most = GemmPlan::kMaxBlocks - c.term_count;
  panels = panels < most ? panels : most;
  const int64_t depth = (total + panels - 1) / panels;
  int64_t filled = 0;
  for (int64_t t = 0; t < c.term_count; ++t) {
    for (int64_t k = 0; k < c.terms[t].k;) {
      const int64_t left = c.terms[t].k - k, room = depth - filled;
      const int64_t length = left < room ? left : room;
      plan->blocks[plan->block_count++] = {t, k, length};
      k += length;
      filled += length;
      plan->deepest = filled > plan->deepest ? filled : plan->deepest;
      if (filled == depth) {
        plan->panel_begin[++plan->panel_count] = plan->block_count;
        filled = 0;
      }
    }
  }
  if (filled > 0) plan->panel_begin[++plan->panel_count] = plan->block_count;
}

inline void MakePlan(const GemmCall& c, int vectors, int threads, GemmPlan* plan) {
  plan->strip = vectors * kLanes;
  PlanPanels(c, plan);
  const int64_t strip = plan->strip;
  int64_t strips = kPackFloats / (plan->deepest * strip);
  const int64_t all_strips = (c.n + strip - 1) / strip;
  strips = strips < 2 ? 2 : strips;
  // Equal shares instead of a small last one.
  const int64_t shares = (all_strips + strips - 1) / strips;
  plan->task_columns = (all_strips + shares - 1) / shares * strip;
  plan->column_tasks = (c.n + plan->task_columns - 1) / plan->task_columns;
  plan->task_rows = plan->panel_count == 1 ? 512 : kPanelRows;
  while (plan->task_rows > 8 * kRows &&
         (c.m + plan->task_rows - 1) / plan->task_rows * plan->column_tasks < 4 * threads) {
    plan->task_rows /= 2;
  }
  plan->row_tasks = (c.m + plan->task_rows - 1) / plan->task_rows;
}

// One panel of one task: all rows of the task against the packed strips. With one panel the tile is
// finished at once, otherwise sums stay in `sums` [task rows, task columns].
template <int NV>
inline void RunPanel(const GemmCall& c, const GemmPlan& plan, int panel, int64_t row0, int64_t rows,
                     int64_t column0, int64_t columns, const float* packed, float* sums,
                     GemmScratch* scratch) {
  constexpr int64_t kWidth = NV * kLanes;
  const int first = plan.panel_begin[panel], last = plan.panel_begin[panel + 1];
  const int64_t strips = (columns + kWidth - 1) / kWidth;
  const int64_t a_stride = plan.deepest + 2 * kLanes + (plan.deepest % 512 == 0 ? 16 : 0);
  float* prepared = scratch->packed_a.Get(kRows * a_stride);
  alignas(64) float tile[kRows * kWidth];
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t here = rows - r < kRows ? rows - r : kRows;
    int64_t at = 0;
    for (int i = first; i < last; ++i) {
      const GemmTerm& term = c.terms[plan.blocks[i].term];
      if (!DirectRows(term, here)) {
        PrepareA(term, plan.blocks[i], row0 + r, here, prepared + at, a_stride);
      }
      at += plan.blocks[i].length;
    }
    for (int64_t s = 0; s < strips; ++s) {
      float* sum = sums == nullptr ? tile : sums + r * plan.task_columns + s * kWidth;
      const int64_t sum_stride = sums == nullptr ? kWidth : plan.task_columns;
      at = 0;
      for (int i = first; i < last; ++i) {
        const Block& block = plan.blocks[i];
        const GemmTerm& term = c.terms[block.term];
        const bool direct = DirectRows(term, here);
        const float* a = direct ? static_cast<const float*>(term.a.data) +
                                      (row0 + r) * term.a.stride + block.begin
                                : prepared + at;
        TileProduct<NV>(a, direct ? term.a.stride : a_stride, block.length, 1, 0,
                        packed + (at * strips + s * block.length) * kWidth, sum, sum_stride,
                        panel > 0 || i > first,
                        s == 0 ? NextRows(term, row0 + r + kRows, block) : nullptr,
                        term.a.stride * ElementSize(term.a.type));
        at += block.length;
      }
      if (sums == nullptr) {
        const int64_t left = columns - s * kWidth;
        FinishTile(c, row0 + r, here, column0 + s * kWidth, left < kWidth ? left : kWidth, tile,
                   kWidth);
      }
    }
  }
}

template <int NV>
inline void RunTask(const GemmCall& c, const GemmPlan& plan, int64_t task, int64_t* packed_columns,
                    GemmScratch* scratch) {
  const int64_t column0 = task / plan.row_tasks * plan.task_columns;
  const int64_t row0 = task % plan.row_tasks * plan.task_rows;
  const int64_t columns = c.n - column0 < plan.task_columns ? c.n - column0 : plan.task_columns;
  const int64_t rows = c.m - row0 < plan.task_rows ? c.m - row0 : plan.task_rows;
  const int64_t strips = (columns + NV * kLanes - 1) / (NV * kLanes);
  float* packed = scratch->packed_b.Get(plan.deepest * plan.task_columns);
  float* sums = nullptr;
  if (plan.panel_count > 1) {
    sums = scratch->tile.Get((plan.task_rows + kRows) * plan.task_columns);
  }
  for (int panel = 0; panel < plan.panel_count; ++panel) {
    if (plan.panel_count > 1 || *packed_columns != column0) {
      int64_t at = 0;
      for (int i = plan.panel_begin[panel]; i < plan.panel_begin[panel + 1]; ++i) {
        PackB<NV>(c.terms[plan.blocks[i].term], plan.blocks[i], column0, columns,
                  packed + at * strips * NV * kLanes);
        at += plan.blocks[i].length;
      }
      *packed_columns = column0;
    }
    RunPanel<NV>(c, plan, panel, row0, rows, column0, columns, packed, sums, scratch);
  }
  if (sums != nullptr) {
    FinishTile(c, row0, rows, column0, columns, sums, plan.task_columns);
  }
}

template <int NV>
inline void GemmOfStrips(const GemmCall& c) {
  if (c.m == 0 || c.n == 0) return;
  GemmPlan plan;
  MakePlan(c, NV, MaxThreads(), &plan);
  const int64_t tasks = plan.column_tasks * plan.row_tasks;
#pragma omp parallel
  {
    static thread_local GemmScratch scratch;
    int64_t packed_columns = -1;
#pragma omp for schedule(dynamic, 1)
    for (int64_t task = 0; task < tasks; ++task) {
      RunTask<NV>(c, plan, task, &packed_columns, &scratch);
    }
  }
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
