// How a matrix product is cut for the caches and for the threads: k into blocks and chunks, columns
// into strips and parts, rows into tasks. The cut of k depends on the terms alone, so that an
// element's sum has one order whatever the number of rows, columns and threads.
#pragma once

#include "trainer/compute/cpu/functions.h"
#include "trainer/compute/cpu/pairs.h"

namespace scm::trainer {
namespace SCM_ISA {

// Sizes that leave room for a second hardware thread on the same core.
constexpr int64_t kSliverFloats = 5 * 1024;     // one block of k of one strip of B, in L1
constexpr int64_t kRowFloats = 80 * 1024;       // the rows of A of one task, in L2
constexpr int64_t kPackedFloats = 1024 * 1024;  // the packed part of B, in the shared cache
constexpr int64_t kChunkDepth = 768;            // of k that a task multiplies at a time
constexpr int64_t kRoundFloats = 2048 * 1024;   // of B that is packed at a time for several chunks
constexpr int64_t kTaskRows = 128;
// Matrix tiles eat operands faster than the shared cache brings them: more rows for each strip.
constexpr int64_t kMatrixRowFloats = 200 * 1024;
constexpr int64_t kMatrixTaskRows = 256;
// So that a thread that was held up does not hold up all: enough tasks, and the last one of each
// thread in pieces.
constexpr int64_t kTasksPerThread = 4;
constexpr int64_t kTailPieces = 4;

// Columns [begin, begin + length) of A of one term, or as many pairs of columns.
struct Block {
  int64_t term, begin, length;
};
// Blocks [first, last), `depth` columns together, of which `loose` are of terms whose B is not
// packed yet; `loose_before` are those of earlier chunks.
struct Chunk {
  int first, last;
  int64_t depth, loose, loose_before;
};

struct GemmPlan {
  static constexpr int kMaxBlocks = 1024;
  Block blocks[kMaxBlocks];
  Chunk chunks[kMaxBlocks];
  int block_count, chunk_count;
  int round_chunks;                 // packed at the same time: all, or one
  int64_t deepest, loosest;         // chunk
  int64_t loose;                    // all chunks
  int64_t row_unit;                 // of tasks and of the sums that they keep
  bool pairs, matrix_tiles;         // some terms use them
  int64_t strips;                   // all columns
  int64_t group_strips;             // packed at the same time
  int64_t part_strips;              // of a group, that tasks of the same time share
  int64_t whole_tasks, whole_rows;  // tasks of so many rows,
  int64_t piece_rows;               // then smaller ones
  int64_t row_tasks;                // of both kinds
  int64_t column_tasks;             // into which a part's strips are cut
};

inline void CutDepth(const GemmCall& c, int64_t width, GemmPlan* plan) {
  plan->block_count = plan->chunk_count = 0;
  plan->deepest = plan->loosest = plan->loose = 0;
  plan->pairs = false;
  const int64_t most = GemmPlan::kMaxBlocks / c.term_count;
  Chunk chunk{0, 0, 0, 0, 0};
  for (int64_t t = 0; t < c.term_count; ++t) {
    const int64_t k = DepthOf(c.terms[t]);
    plan->pairs = plan->pairs || UsesPairs(c.terms[t]);
    int64_t pieces = CeilDiv(k, kSliverFloats / width);
    pieces = pieces < 1 ? 1 : pieces < most ? pieces : most;
    const int64_t length = RoundUp(CeilDiv(k, pieces), kLanes);
    for (int64_t begin = 0; begin < k; begin += length) {
      const int64_t here = k - begin < length ? k - begin : length;
      if (chunk.last > chunk.first && chunk.depth + here > kChunkDepth) {
        plan->chunks[plan->chunk_count++] = chunk;
        chunk = {chunk.last, chunk.last, 0, 0, plan->loose};
      }
      plan->blocks[plan->block_count++] = {t, begin, here};
      ++chunk.last;
      chunk.depth += here;
      if (c.terms[t].packed_b == nullptr) {
        chunk.loose += here;
        plan->loose += here;
      }
      if (chunk.depth > plan->deepest) plan->deepest = chunk.depth;
      if (chunk.loose > plan->loosest) plan->loosest = chunk.loose;
    }
  }
  plan->chunks[plan->chunk_count++] = chunk;
}

// Strips of `depth` that fit the shared cache, in equal shares of `all`.
inline int64_t SharedStrips(int64_t all, int64_t depth, int64_t width) {
  if (depth == 0) return all;
  const int64_t most = kPackedFloats / (depth * width);
  return most < 1 ? 1 : CeilDiv(all, CeilDiv(all, most));
}

// Depth that lies packed of a strip in the round of a chunk, and where the chunk begins in it.
inline int64_t LooseDepth(const GemmPlan& plan, const Chunk& chunk) {
  return plan.round_chunks > 1 ? plan.loose : chunk.loose;
}
inline int64_t LooseBegin(const GemmPlan& plan, const Chunk& chunk) {
  return plan.round_chunks > 1 ? chunk.loose_before : 0;
}

// `width` is the number of columns of a strip. Shares are equal, instead of a small last one, and
// so are those of the threads.
inline void MakePlan(const GemmCall& c, int64_t width, int threads, GemmPlan* plan) {
  CutDepth(c, width, plan);
  plan->row_unit = plan->pairs ? kPairRows : kRows;
  plan->matrix_tiles = plan->pairs && kMatrixTiles;
  plan->strips = CeilDiv(c.n, width);
  plan->part_strips = SharedStrips(plan->strips, plan->deepest, width);
  plan->group_strips = plan->part_strips;
  // Sums that wait for the next chunk are kept for a group: then it is one part.
  if (plan->chunk_count == 1) {
    plan->group_strips = SharedStrips(plan->strips, plan->loosest, width);
    if (plan->part_strips > plan->group_strips) plan->part_strips = plan->group_strips;
  }
  // Threads wait for each other once a round.
  const bool fits = plan->loose * width * plan->group_strips <= kRoundFloats;
  plan->round_chunks = fits ? plan->chunk_count : 1;
  const int64_t unit = plan->row_unit;
  const int64_t most = plan->matrix_tiles ? kMatrixTaskRows : kTaskRows;
  int64_t rows = plan->matrix_tiles ? kMatrixRowFloats : kRowFloats;
  rows = rows / plan->deepest / unit * unit;
  rows = rows < 2 * unit ? 2 * unit : rows > most ? most : rows;
  int64_t row_tasks = CeilDiv(c.m, rows);
  if (row_tasks > 1) row_tasks = RoundUp(row_tasks, threads);
  plan->whole_rows = plan->piece_rows = RoundUp(CeilDiv(c.m, row_tasks), unit);
  plan->whole_tasks = plan->row_tasks = CeilDiv(c.m, plan->whole_rows);
  plan->column_tasks = CeilDiv(kTasksPerThread * threads, plan->row_tasks);
  if (plan->column_tasks > plan->part_strips) plan->column_tasks = plan->part_strips;
  if (plan->column_tasks == 1 && plan->row_tasks > threads) {
    plan->whole_tasks = plan->row_tasks - threads;
    plan->piece_rows = RoundUp(CeilDiv(plan->whole_rows, kTailPieces), unit);
    const int64_t left = c.m - plan->whole_tasks * plan->whole_rows;
    plan->row_tasks = plan->whole_tasks + CeilDiv(left, plan->piece_rows);
  }
}

}  // namespace SCM_ISA
}  // namespace scm::trainer
