#include "model/tokenize/bpe.h"

#include <map>
#include <thread>

#include "common/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::model {
namespace {

using ::testing::HasSubstr;

// Learns `count` merges at random, so that many of them overlap.
BpeVocabulary RandomVocabulary(uint64_t seed, int count, absl::string_view alphabet) {
  Philox random(seed, "bpe_test");
  BpeVocabulary vocabulary;
  for (const char c : alphabet) vocabulary.tokens.push_back(std::string(1, c));
  std::map<std::string, bool> known;
  for (const std::string& token : vocabulary.tokens) known[token] = true;
  while (static_cast<int>(vocabulary.merges.size()) < count) {
    const auto pick = [&] { return vocabulary.tokens[random.Below(vocabulary.tokens.size())]; };
    const std::string left = pick(), right = pick();
    if (left.size() + right.size() > 12 || !known.emplace(left + right, true).second) continue;
    vocabulary.merges.emplace_back(left, right);
    vocabulary.tokens.push_back(left + right);
  }
  return vocabulary;
}

// The definition, step by step: the earliest learnt pair is merged, the leftmost first.
std::vector<std::string> ByDefinition(const BpeVocabulary& vocabulary, absl::string_view piece) {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) ranks[vocabulary.merges[i]] = i;
  std::vector<std::string> parts;
  for (const char c : piece) parts.push_back(std::string(1, c));
  while (true) {
    size_t best = parts.size(), best_rank = ranks.size();
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto it = ranks.find({parts[i], parts[i + 1]});
      if (it != ranks.end() && it->second < best_rank) best = i, best_rank = it->second;
    }
    if (best == parts.size()) return parts;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + best + 1);
  }
}

TEST(Bpe, MergesAsDefined) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) {
    const BpeVocabulary vocabulary = RandomVocabulary(seed, 60, "abc");
    const auto bpe = Bpe::Make(vocabulary, "test");
    ASSERT_TRUE(bpe.ok()) << bpe.status();
    Philox random(seed, "pieces");
    for (int i = 0; i < 300; ++i) {
      // Up to 200 symbols, so both ways of merging are taken.
      std::string piece(1 + random.Below(i % 3 == 0 ? 200 : 30), 'a');
      for (char& c : piece) c = "abc"[random.Below(3)];
      std::vector<int32_t> ids;
      (*bpe)->Encode(piece, ids);
      std::vector<std::string> parts;
      for (const int32_t id : ids) parts.push_back(vocabulary.tokens[id]);
      ASSERT_EQ(parts, ByDefinition(vocabulary, piece)) << "seed " << seed << " " << piece;
    }
  }
}

// A run of one character has overlapping pairs everywhere.
TEST(Bpe, LongRuns) {
  BpeVocabulary vocabulary;
  vocabulary.tokens = {"a", "aa", "aaaa", "aaa"};
  vocabulary.merges = {{"a", "a"}, {"aa", "aa"}, {"aa", "a"}};
  const auto bpe = Bpe::Make(vocabulary, "test");
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  for (const int length : {1, 2, 3, 5, 47, 48, 49, 50, 51, 1000, 100003}) {
    std::vector<int32_t> ids;
    (*bpe)->Encode(std::string(length, 'a'), ids);
    const size_t expected = length / 4 + (length % 4 != 0);
    EXPECT_EQ(ids.size(), expected) << length;
  }
}

TEST(Bpe, IgnoreMergesTakesWholePiecesOnly) {
  BpeVocabulary vocabulary;
  vocabulary.tokens = {"a", "b", "ab", "abab"};  // no merge leads to "abab"
  vocabulary.merges = {{"a", "b"}};
  for (const bool ignore : {false, true}) {
    vocabulary.ignore_merges = ignore;
    const auto bpe = Bpe::Make(vocabulary, "test");
    ASSERT_TRUE(bpe.ok()) << bpe.status();
    std::vector<int32_t> ids;
    (*bpe)->Encode("abab", ids);
    EXPECT_EQ(ids, ignore ? std::vector<int32_t>{3} : (std::vector<int32_t>{2, 2}));
    ids.clear();
    (*bpe)->Encode("ababa", ids);
    EXPECT_EQ(ids, (std::vector<int32_t>{2, 2, 0}));
  }
}

TEST(Bpe, UnknownBytesAreLeftOut) {
  BpeVocabulary vocabulary;
  vocabulary.tokens = {"a", "", "b", "ab"};
  vocabulary.merges = {{"a", "b"}};
  const auto bpe = Bpe::Make(vocabulary, "test");
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  std::vector<int32_t> ids;
  (*bpe)->Encode("a?b", ids);
  EXPECT_EQ(ids, std::vector<int32_t>{3});
  EXPECT_EQ((*bpe)->Find(""), -1);
}

TEST(Bpe, RefusesContradictions) {
  const struct {
    std::vector<std::string> tokens;
    std::vector<std::pair<std::string, std::string>> merges;
    const char* message;
  } cases[] = {{{"a", "b", "a"}, {}, "twice"},
               {{"a", "b"}, {{"a", "b"}}, "merge 0"},
               {{"a", "b", "ab"}, {{"a", "b"}, {"ab", "c"}}, "merge 1"},
               {{"a", "b", "ab"}, {{"", "ab"}}, "merge 0"}};
  for (const auto& c : cases) {
    const auto bpe = Bpe::Make({c.tokens, c.merges, false}, "tokenizer.json");
    ASSERT_EQ(bpe.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(bpe.status().message()), HasSubstr(c.message));
  }
}

TEST(Bpe, ThreadsMayShareIt) {
  const BpeVocabulary vocabulary = RandomVocabulary(9, 200, "abcdef");
  const auto bpe = Bpe::Make(vocabulary, "test");
  ASSERT_TRUE(bpe.ok()) << bpe.status();
  const auto encode_all = [&] {
    std::vector<int32_t> ids;
    for (const std::string& token : vocabulary.tokens) (*bpe)->Encode(token, ids);
    return ids;
  };
  std::vector<int32_t> results[4];
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = encode_all(); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, encode_all());
}

}  // namespace
}  // namespace scm::model
