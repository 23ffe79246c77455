// A sequence of records in ascending steps that grows at its end, such as a run's validations.
// Copies share what is full, so that a copy for a snapshot and a row for the store cost the same
// however long the sequence is. Values only; a copy may be read by any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace scm::core {

// `Record` has an int64_t member `step`; no step stands twice.
template <typename Record>
class StepLog {
 public:
  using Chunk = std::vector<Record>;
  static constexpr size_t kChunk = 64;  // records; all chunks but the last are full

  class const_iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = Record;
    using difference_type = std::ptrdiff_t;
    using pointer = const Record*;
    using reference = const Record&;

    const_iterator() = default;
    const_iterator(const StepLog* log, size_t at) : log_(log), at_(at) {}
    reference operator*() const { return (*log_)[at_]; }
    pointer operator->() const { return &(*log_)[at_]; }
    const_iterator& operator++() { return *this += 1; }
    const_iterator& operator--() { return *this += -1; }
    const_iterator operator++(int) { return std::exchange(*this, *this + 1); }
    const_iterator operator--(int) { return std::exchange(*this, *this + -1); }
    const_iterator& operator+=(difference_type n) {
      at_ = static_cast<size_t>(static_cast<difference_type>(at_) + n);
      return *this;
    }
    const_iterator& operator-=(difference_type n) { return *this += -n; }
    const_iterator operator+(difference_type n) const { return const_iterator(*this) += n; }
    const_iterator operator-(difference_type n) const { return const_iterator(*this) += -n; }
    reference operator[](difference_type n) const { return *(*this + n); }
    difference_type operator-(const const_iterator& other) const {
      return static_cast<difference_type>(at_) - static_cast<difference_type>(other.at_);
    }
    bool operator==(const const_iterator& other) const { return at_ == other.at_; }
    auto operator<=>(const const_iterator& other) const { return at_ <=> other.at_; }

   private:
    const StepLog* log_ = nullptr;
    size_t at_ = 0;
  };

  bool empty() const { return chunks_.empty(); }
  size_t size() const {
    return empty() ? 0 : (chunks_.size() - 1) * kChunk + chunks_.back()->size();
  }
  const Record& operator[](size_t i) const { return (*chunks_[i / kChunk])[i % kChunk]; }
  const Record& back() const { return chunks_.back()->back(); }
  const_iterator begin() const { return {this, 0}; }
  const_iterator end() const { return {this, size()}; }

  // The record of this step, or null; O(log n).
  const Record* Find(int64_t step) const {
    const const_iterator at = LowerBound(step);
    return at != end() && at->step == step ? &*at : nullptr;
  }

  // False, and nothing changes, where the step is there already. O(1) at the end, O(n) before it.
  bool Insert(Record record) {
    if (empty() || back().step < record.step) {
      Append(std::move(record));
      return true;
    }
    const const_iterator at = LowerBound(record.step);
    if (at->step == record.step) return false;
    std::vector<Record> moved(at, end());
    Truncate(static_cast<size_t>(at - begin()));
    Append(std::move(record));
    for (Record& one : moved) Append(std::move(one));
    return true;
  }

  // The record takes the place of the one of its step, which must be there. O(n) before the end.
  void Replace(Record record) {
    const const_iterator at = LowerBound(record.step);
    std::vector<Record> moved(at + 1, end());
    Truncate(static_cast<size_t>(at - begin()));
    Append(std::move(record));
    for (Record& one : moved) Append(std::move(one));
  }

  // Removes everything beyond `step`.
  void KeepUpTo(int64_t step) {
    const const_iterator after = LowerBound(step + 1);
    if (after != end()) Truncate(static_cast<size_t>(after - begin()));
  }
  void Clear() { Truncate(0); }

  // Grows with every change but an append: who has seen the first n records of a revision need not
  // look at them again.
  uint64_t revision() const { return revision_; }

  // ---- for the store: what has changed since MarkSaved.
  const std::vector<std::shared_ptr<const Chunk>>& chunks() const { return chunks_; }
  size_t first_unsaved() const { return first_unsaved_; }  // chunk; chunks().size() = none
  size_t saved_chunks() const { return saved_chunks_; }    // that the store may hold
  void MarkSaved() { first_unsaved_ = saved_chunks_ = chunks_.size(); }

 private:
  const_iterator LowerBound(int64_t step) const {
    return std::lower_bound(begin(), end(), step,
                            [](const Record& one, int64_t s) { return one.step < s; });
  }
  void Append(Record record) {
    if (empty() || chunks_.back()->size() == kChunk) {
      chunks_.push_back(std::make_shared<const Chunk>());
    }
    // A copy: snapshots may hold the chunk.
    auto grown = std::make_shared<Chunk>();
    grown->reserve(chunks_.back()->size() + 1);
    *grown = *chunks_.back();
    grown->push_back(std::move(record));
    chunks_.back() = std::move(grown);
    first_unsaved_ = std::min(first_unsaved_, chunks_.size() - 1);
  }
  void Truncate(size_t length) {
    ++revision_;
    chunks_.resize((length + kChunk - 1) / kChunk);
    if (length % kChunk != 0) {
      const Chunk& last = *chunks_.back();
      chunks_.back() = std::make_shared<const Chunk>(
          last.begin(), last.begin() + static_cast<std::ptrdiff_t>(length % kChunk));
    }
    first_unsaved_ = std::min(first_unsaved_, length / kChunk);
  }

  std::vector<std::shared_ptr<const Chunk>> chunks_;
  uint64_t revision_ = 0;
  size_t first_unsaved_ = 0, saved_chunks_ = 0;
};

}  // namespace scm::core
