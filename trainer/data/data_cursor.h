// The order in which examples are trained: one permutation an epoch, a pure function of (seed,
// epoch), so that a position is two numbers and a resumed run goes on exactly where it was. One
// owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace scm::trainer {

class DataCursor {
 public:
  struct Position {
    int64_t epoch = 0;
    int64_t index = 0;  // examples of this epoch already taken
    bool operator==(const Position&) const = default;
  };

  // `examples` ≥ 1.
  DataCursor(int64_t examples, uint64_t seed);

  int64_t Current() const { return order_[static_cast<size_t>(position_.index)]; }
  // To the next example; after the last one a new epoch begins.
  void Advance();
  const Position& position() const { return position_; }
  // Positions outside the epoch are the caller's error; false then, and nothing changes.
  bool Seek(const Position& position);

 private:
  void Shuffle();

  uint64_t seed_;
  Position position_;
  std::vector<int64_t> order_;
};

}  // namespace scm::trainer
