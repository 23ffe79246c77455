// An ordered map whose copies share what is equal in them. A commit publishes the whole state and
// goes on with a copy: with this, it costs what changed and not what exists. Entries lie in leaves
// of at most kLeaf, sorted; a leaf is copied when it changes while another copy of the map has it.
//
// Copies may be read by several threads at once and for ever; one map is changed by one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace scm::state {

template <typename Key, typename Value>
class SharedMap {
 public:
  using value_type = std::pair<Key, Value>;
  static constexpr size_t kLeaf = 64;

 private:
  using Leaf = std::vector<value_type>;
  using Leaves = std::vector<std::shared_ptr<Leaf>>;  // none is empty

 public:
  class const_iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = SharedMap::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    const_iterator() = default;
    reference operator*() const { return (*(*leaves_)[leaf_])[at_]; }
    pointer operator->() const { return &**this; }
    const_iterator& operator++() {
      if (++at_ == (*leaves_)[leaf_]->size()) {
        ++leaf_;
        at_ = 0;
      }
      return *this;
    }
    const_iterator operator++(int) {
      const const_iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const const_iterator& other) const {
      return leaf_ == other.leaf_ && at_ == other.at_;
    }

   private:
    friend class SharedMap;
    const_iterator(const Leaves* leaves, size_t leaf, size_t at)
        : leaves_(leaves), leaf_(leaf), at_(at) {}
    const Leaves* leaves_ = nullptr;
    size_t leaf_ = 0, at_ = 0;
  };

  bool empty() const { return leaves_.empty(); }
  size_t size() const { return size_; }
  const_iterator begin() const { return {&leaves_, 0, 0}; }
  const_iterator end() const { return {&leaves_, leaves_.size(), 0}; }

  const_iterator lower_bound(const Key& key) const {
    const size_t leaf = LeafFor(key);
    if (leaf == leaves_.size()) return end();
    const size_t at = PlaceIn(*leaves_[leaf], key);
    return at < leaves_[leaf]->size() ? const_iterator{&leaves_, leaf, at}
                                      : const_iterator{&leaves_, leaf + 1, 0};
  }
  const_iterator find(const Key& key) const {
    const const_iterator at = lower_bound(key);
    return at != end() && !(key < at->first) ? at : end();
  }
  bool contains(const Key& key) const { return find(key) != end(); }
  const Value& at(const Key& key) const {
    const const_iterator found = find(key);
    if (found == end()) throw std::out_of_range("SharedMap::at");
    return found->second;
  }

  bool operator==(const SharedMap& other) const {
    return size_ == other.size_ && std::equal(begin(), end(), other.begin());
  }

  // The value, to be changed; made if it is not there. Copies of the map keep what they have.
  Value& operator[](const Key& key) {
    size_t leaf = LeafFor(key);
    if (leaf == leaves_.size()) {
      leaves_.push_back(std::make_shared<Leaf>());
    }
    Leaf* entries = &Own(leaf);
    size_t at = PlaceIn(*entries, key);
    if (at < entries->size() && !(key < (*entries)[at].first)) return (*entries)[at].second;
    ++size_;
    if (entries->size() == kLeaf) {
      // Ids grow, so that the last leaf is left full; any other is halved.
      const size_t keep = at == kLeaf ? kLeaf : kLeaf / 2;
      auto upper = std::make_shared<Leaf>(entries->begin() + keep, entries->end());
      entries->resize(keep);
      leaves_.insert(leaves_.begin() + static_cast<std::ptrdiff_t>(leaf) + 1, std::move(upper));
      if (at >= keep) {
        entries = leaves_[leaf + 1].get();
        at -= keep;
      }
    }
    return entries->insert(entries->begin() + static_cast<std::ptrdiff_t>(at), {key, Value()})
        ->second;
  }

  // Whether it was there. Copies of the map keep it.
  bool erase(const Key& key) {
    const const_iterator found = find(key);
    if (found == end()) return false;
    const size_t leaf = found.leaf_;
    Leaf& entries = Own(leaf);
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(found.at_));
    if (entries.empty()) leaves_.erase(leaves_.begin() + static_cast<std::ptrdiff_t>(leaf));
    --size_;
    return true;
  }

 private:
  // The leaf that has the key, or would get it: the last that does not begin behind it.
  size_t LeafFor(const Key& key) const {
    const auto behind = std::upper_bound(
        leaves_.begin(), leaves_.end(), key,
        [](const Key& k, const std::shared_ptr<Leaf>& leaf) { return k < leaf->front().first; });
    const size_t index = static_cast<size_t>(behind - leaves_.begin());
    return index > 0 ? index - 1 : 0;
  }
  static size_t PlaceIn(const Leaf& leaf, const Key& key) {
    return static_cast<size_t>(
        std::lower_bound(leaf.begin(), leaf.end(), key,
                         [](const value_type& entry, const Key& k) { return entry.first < k; }) -
        leaf.begin());
  }
  Leaf& Own(size_t leaf) {
    std::shared_ptr<Leaf>& mine = leaves_[leaf];
    if (mine.use_count() > 1) {
      mine = std::make_shared<Leaf>(*mine);
    } else {
      // Whoever dropped the last other copy has done all its reading.
      std::atomic_thread_fence(std::memory_order_acquire);
    }
    return *mine;
  }

  Leaves leaves_;
  size_t size_ = 0;
};

}  // namespace scm::state
