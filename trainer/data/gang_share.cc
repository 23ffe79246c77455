#include "trainer/data/gang_share.h"

#include <algorithm>
#include <utility>

#include "trainer/data/packing.h"

namespace scm::trainer {
namespace {

template <typename Of>
int64_t SumOver(const std::vector<ExampleRows>& step, const Of& of) {
  int64_t sum = 0;
  for (const ExampleRows& rows : step) {
    for (const auto& row : rows) {
      for (const TokenExample* example : row) sum += of(*example);
    }
  }
  return sum;
}

}  // namespace

int64_t LabelsOf(const std::vector<ExampleRows>& step) {
  return SumOver(step, [](const TokenExample& example) { return example.labels(); });
}

int64_t TokensOf(const std::vector<ExampleRows>& step) {
  return SumOver(step, [](const TokenExample& example) { return example.inputs(); });
}

std::vector<RankShare> ShareOfStep(const std::vector<ExampleRows>& step, int64_t rank,
                                   int64_t world_size) {
  const int64_t all = TokensOf(step);
  int64_t before = 0;  // tokens of the step
  std::vector<RankShare> shares;
  for (const ExampleRows& rows : step) {
    const int64_t begin = before;
    int64_t first = -1;
    ExampleRows mine;
    for (const auto& row : rows) {
      std::vector<const TokenExample*> documents;
      for (const TokenExample* example : row) {
        // Whose is where its middle lies.
        const int64_t middle = 2 * before + example->inputs();
        const int64_t owner =
            std::min(middle * world_size / std::max<int64_t>(1, 2 * all), world_size - 1);
        if (owner == rank) {
          if (first < 0) first = before - begin;
          documents.push_back(example);
        }
        before += example->inputs();
      }
      if (!documents.empty()) mine.push_back(std::move(documents));
    }
    shares.push_back({LayOutRows(mine), std::max<int64_t>(first, 0)});
  }
  return shares;
}

}  // namespace scm::trainer
