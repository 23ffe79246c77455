#include "coordinator/state/shared_map.h"

#include <gtest/gtest.h>

#include <map>

#include "common/rng.h"

namespace scm::controller {
namespace {

// Counts how often a value is copied.
struct Counted {
  static inline int64_t copies = 0;
  int64_t value = 0;
  Counted() = default;
  explicit Counted(int64_t v) : value(v) {}
  Counted(const Counted& other) : value(other.value) { ++copies; }
  Counted& operator=(const Counted& other) {
    value = other.value;
    ++copies;
    return *this;
  }
  Counted(Counted&&) = default;
  Counted& operator=(Counted&&) = default;
};

template <typename Map>
std::vector<std::pair<int64_t, int64_t>> Entries(const Map& map) {
  std::vector<std::pair<int64_t, int64_t>> entries;
  for (const auto& [key, value] : map) entries.emplace_back(key, value);
  return entries;
}

TEST(SharedMap, IsAMap) {
  constexpr uint64_t kSeed = 7;
  Philox rng(kSeed, "shared-map", 0);
  std::map<int64_t, int64_t> model;
  state::SharedMap<int64_t, int64_t> map;
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
  for (int i = 0; i < 5000; ++i) {
    const int64_t key = static_cast<int64_t>(rng.Below(2000));
    model[key] = map[key] = i;
  }
  EXPECT_EQ(Entries(map), Entries(model)) << "seed " << kSeed;
  EXPECT_EQ(map.size(), model.size());
  for (int64_t key = -1; key <= 2001; ++key) {
    const auto found = map.find(key), from = map.lower_bound(key);
    const auto expected = model.lower_bound(key);
    ASSERT_EQ(map.contains(key), model.contains(key)) << key;
    ASSERT_EQ(found != map.end(), model.contains(key)) << key;
    ASSERT_EQ(from == map.end(), expected == model.end()) << key;
    if (expected != model.end()) {
      ASSERT_EQ(from->first, expected->first) << key;
    }
    if (model.contains(key)) {
      ASSERT_EQ(map.at(key), model.at(key)) << key;
    }
  }
}

TEST(SharedMap, CopiesKeepWhatTheyHad) {
  constexpr uint64_t kSeed = 11;
  Philox rng(kSeed, "shared-map", 1);
  std::map<int64_t, int64_t> model;
  state::SharedMap<int64_t, int64_t> map;
  std::vector<std::pair<state::SharedMap<int64_t, int64_t>, std::map<int64_t, int64_t>>> published;
  for (int i = 0; i < 3000; ++i) {
    const int64_t key = static_cast<int64_t>(rng.Below(1000));
    if (i % 3 == 2) {
      ASSERT_EQ(map.erase(key), model.erase(key) == 1) << kSeed;
    } else {
      model[key] = map[key] = i;
    }
    if (i % 50 == 0) published.emplace_back(map, model);
  }
  ASSERT_EQ(Entries(map), Entries(model)) << kSeed;
  for (const auto& [copy, was] : published) ASSERT_EQ(Entries(copy), Entries(was)) << kSeed;
  while (!model.empty()) {
    ASSERT_TRUE(map.erase(model.begin()->first));
    model.erase(model.begin());
    ASSERT_EQ(map.size(), model.size());
  }
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.begin(), map.end());
}

// What a commit costs does not grow with what exists.
TEST(SharedMap, AChangeCopiesOneLeafHoweverManyEntriesThereAre) {
  for (const int64_t size : {100, 10000, 100000}) {
    state::SharedMap<int64_t, Counted> map;
    for (int64_t i = 0; i < size; ++i) map[i] = Counted(i);
    const state::SharedMap<int64_t, Counted> published = map;
    Counted::copies = 0;
    for (int i = 0; i < 10; ++i) map[size / 2].value = i;  // the first copies, the others do not
    map[size] = Counted(1);                                // at the end, as new ids are
    EXPECT_LE(Counted::copies, static_cast<int64_t>(2 * state::SharedMap<int64_t, Counted>::kLeaf))
        << size;
    EXPECT_EQ(published.at(size / 2).value, size / 2);
    EXPECT_FALSE(published.contains(size));
  }
}

}  // namespace
}  // namespace scm::controller
