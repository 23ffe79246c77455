#include "trainer/data/data_cursor.h"

#include <numeric>

#include "common/rng.h"

namespace scm::trainer {

DataCursor::DataCursor(int64_t examples, uint64_t seed)
    : seed_(seed), order_(static_cast<size_t>(examples)) {
  Shuffle();
}

void DataCursor::Shuffle() {
  std::iota(order_.begin(), order_.end(), int64_t{0});
  Philox rng(seed_, "epoch_order", static_cast<uint64_t>(position_.epoch));
  scm::Shuffle(order_, rng);
}

void DataCursor::Advance() {
  if (++position_.index < static_cast<int64_t>(order_.size())) return;
  ++position_.epoch;
  position_.index = 0;
  Shuffle();
}

bool DataCursor::Seek(const Position& position) {
  if (position.epoch < 0 || position.index < 0 ||
      position.index >= static_cast<int64_t>(order_.size())) {
    return false;
  }
  position_ = position;
  Shuffle();
  return true;
}

}  // namespace scm::trainer
