// The median of numbers that come one by one: O(log n) a number. One owner, one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <queue>
#include <vector>

namespace scm::policy {

class RunningMedian {
 public:
  // Not NaN.
  void Add(double value) {
    if (below_.empty() || value <= below_.top()) {
      below_.push(value);
    } else {
      above_.push(value);
    }
    if (below_.size() > above_.size() + 1) {
      above_.push(below_.top());
      below_.pop();
    } else if (above_.size() > below_.size()) {
      below_.push(above_.top());
      above_.pop();
    }
  }
  // The mean of the middle two where there is an even number; there must be one.
  double Get() const {
    return below_.size() > above_.size() ? below_.top() : 0.5 * (below_.top() + above_.top());
  }
  bool empty() const { return below_.empty(); }

 private:
  std::priority_queue<double> below_;  // the smaller half, one more where the number is odd
  std::priority_queue<double, std::vector<double>, std::greater<>> above_;
};

}  // namespace scm::policy
