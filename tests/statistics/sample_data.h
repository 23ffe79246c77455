// A small table of answers by formula, the same in the reference implementation.
#pragma once

#include <vector>

#include "statistics/score_table.h"

namespace scm::statistics {

struct SampleData {
  ScoreTable table;
  std::vector<double> baseline;
};

// `clusters` clusters of 1 + c mod `mod` items.
inline SampleData MakeSample(int clusters, int seeds, int mod) {
  SampleData out;
  for (int c = 0; c < clusters; ++c) {
    out.table.cluster.insert(out.table.cluster.end(), 1 + c % mod, c);
  }
  const int items = static_cast<int>(out.table.cluster.size());
  out.table.scores.assign(seeds, std::vector<double>(items));
  for (int i = 0; i < items; ++i) {
    const int c = out.table.cluster[i];
    for (int s = 0; s < seeds; ++s) {
      out.table.scores[s][i] = (i * 7 + s * 3 + c * 5) % 11 < 7 ? 1 : 0;
    }
    out.baseline.push_back((i * 5 + c * 3) % 11 < 5 ? 1 : 0);
  }
  return out;
}

}  // namespace scm::statistics
