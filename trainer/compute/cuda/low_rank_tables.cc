#include "trainer/compute/cuda/low_rank_tables.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "trainer/compute/cuda/device_call.h"

namespace scm::trainer {
namespace {

int RankOf(const LowRankRows& block) {
  return block.u.defined() ? static_cast<int>(block.u.size(1)) : 0;
}

// Calls `launch` with the blocks that have rows, as many at a time as a table holds.
template <typename Launch>
void ByTables(const std::vector<LowRankRows>& blocks, Launch launch) {
  std::vector<const LowRankRows*> part;
  for (const LowRankRows& block : blocks) {
    if (block.rows == 0) continue;
    part.push_back(&block);
    if (part.size() < static_cast<size_t>(device::kMostRowBlocks)) continue;
    launch(part);
    part.clear();
  }
  if (!part.empty()) launch(part);
}

int LargestRankOf(const std::vector<const LowRankRows*>& blocks) {
  int rank = 0;
  for (const LowRankRows* block : blocks) rank = std::max(rank, RankOf(*block));
  return rank;
}

// What the entries of all tables have in common.
template <typename Entry>
void SetRows(const LowRankRows& from, Entry* entry) {
  entry->begin = static_cast<int>(from.begin);
  entry->rows = static_cast<int>(from.rows);
  entry->rank = RankOf(from);
  entry->scale = from.scale;
  entry->mask = KeysFor(from.dropout);
  if (entry->rank > 0) entry->u_stride = from.u.stride(0);
}

// Room for `count` parts of `results` sums, in blocks that count at `tickets` places.
device::Parts PartsOf(int count, int64_t results, int64_t tickets, DeviceBuffers* buffers) {
  device::Parts parts{};
  if (count < 2) return parts;
  parts.partial = buffers->Get(DeviceBuffers::kPartial, {count * results}, at::kFloat)
                      .mutable_data_ptr<float>();
  parts.tickets = reinterpret_cast<unsigned*>(
      buffers->Get(DeviceBuffers::kTickets, {tickets}, at::kInt).mutable_data_ptr<int32_t>());
  return parts;
}

}  // namespace

void LowRankTables::Narrow(const at::Tensor& x, const std::vector<LowRankRows>& blocks) {
  ByTables(blocks, [&](const std::vector<const LowRankRows*>& part) {
    device::NarrowProductArguments a{};
    a.x = x.const_data_ptr();
    a.x_stride = x.stride(0);
    a.depth = static_cast<int>(x.size(1));
    a.rank_tiles = BlocksOf(LargestRankOf(part), device::kTileRank);
    int tiles = 0;
    for (const LowRankRows* from : part) {
      device::NarrowBlock& entry = a.blocks[a.count++];
      SetRows(*from, &entry);
      entry.w = from->w.const_data_ptr<float>();
      entry.w_rank = from->w_rank;
      entry.w_depth = from->w_other;
      at::Tensor u = from->u;
      entry.u = u.mutable_data_ptr<float>();
      entry.first_tile = tiles;
      tiles += BlocksOf(from->rows, device::kTileRows);
    }
    const int parts = std::max(1, BlocksOf(a.depth, device::kPartDepth));
    const int64_t all = static_cast<int64_t>(tiles) * a.rank_tiles;
    a.part_count = parts;
    a.parts = PartsOf(parts, all * device::kTileRows * device::kTileRank, all, buffers_);
    LaunchKernel(*launcher_, absl::StrCat("scm_narrow_product", Suffix(x)),
                 {static_cast<unsigned>(tiles), static_cast<unsigned>(a.rank_tiles * parts)}, a);
  });
}

void LowRankTables::Tall(const at::Tensor& x, const std::vector<LowRankRows>& blocks) {
  ByTables(blocks, [&](const std::vector<const LowRankRows*>& part) {
    device::TallProductArguments a{};
    a.x = x.const_data_ptr();
    a.x_stride = x.stride(0);
    a.columns = static_cast<int>(x.size(1));
    a.column_tiles = BlocksOf(a.columns, device::kTileColumns);
    const int rank_tiles = BlocksOf(LargestRankOf(part), device::kTileRank);
    int parts = 0, most = 0;
    for (const LowRankRows* from : part) {
      device::TallBlock& entry = a.blocks[a.count++];
      SetRows(*from, &entry);
      entry.u = from->u.const_data_ptr<float>();
      at::Tensor g = from->w;
      entry.g = g.mutable_data_ptr<float>();
      entry.g_rank = from->w_rank;
      entry.g_column = from->w_other;
      entry.first_part = parts;
      const int own = BlocksOf(from->rows, device::kPartRows);
      parts += own;
      most = std::max(most, own);
    }
    // Parts of all entries lie behind each other, so there are `parts` in all.
    const int64_t tiles = static_cast<int64_t>(a.column_tiles) * rank_tiles;
    a.parts = PartsOf(most < 2 ? 1 : parts, tiles * device::kTileRank * device::kTileColumns,
                      tiles * a.count, buffers_);
    LaunchKernel(*launcher_, absl::StrCat("scm_tall_product", Suffix(x)),
                 {static_cast<unsigned>(parts * a.column_tiles), static_cast<unsigned>(rank_tiles)},
                 a);
  });
}

void LowRankTables::Add(const at::Tensor& base, const std::vector<LowRankRows>& blocks,
                        const at::Tensor& residual, at::Tensor& y) {
  ByTables(blocks, [&](const std::vector<const LowRankRows*>& part) {
    device::AddLowRankArguments a{};
    a.base = base.const_data_ptr();
    a.base_stride = base.stride(0);
    if (residual.defined()) {
      a.residual = residual.const_data_ptr();
      a.residual_stride = residual.stride(0);
    }
    a.y = y.mutable_data_ptr();
    a.y_stride = y.stride(0);
    a.columns = static_cast<int>(y.size(1));
    int tiles = 0;
    for (const LowRankRows* from : part) {
      device::WideBlock& entry = a.blocks[a.count++];
      SetRows(*from, &entry);
      if (entry.rank > 0) {
        entry.u = from->u.const_data_ptr<float>();
        entry.w = from->w.const_data_ptr<float>();
        entry.w_rank = from->w_rank;
        entry.w_column = from->w_other;
      }
      entry.first_tile = tiles;
      tiles += BlocksOf(from->rows, device::kWideRows);
    }
    LaunchKernel(*launcher_, absl::StrCat("scm_add_low_rank", Suffix(y)),
                 {static_cast<unsigned>(tiles),
                  static_cast<unsigned>(BlocksOf(a.columns, device::kThreads))},
                 a);
  });
}

}  // namespace scm::trainer
