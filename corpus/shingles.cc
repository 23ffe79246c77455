#include "corpus/shingles.h"

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>

#include "common/rng.h"
#include "corpus/text.h"

namespace scm::corpus {
namespace {

constexpr size_t kBands = 32;
constexpr size_t kRows = 4;
constexpr size_t kMaxCandidates = 500;
using Signature = std::array<uint64_t, kBands * kRows>;

// The finaliser of SplitMix64: a bijection that scatters its input.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

const Signature& HashSeeds() {
  static const Signature seeds = [] {
    Signature drawn;
    Philox rng(1, "corpus/minhash");
    for (uint64_t& seed : drawn) seed = rng.Next64();
    return drawn;
  }();
  return seeds;
}

Signature MinHash(const Shingles& shingles) {
  const Signature& seeds = HashSeeds();
  Signature signature;
  signature.fill(std::numeric_limits<uint64_t>::max());
  for (const uint64_t shingle : shingles) {
    for (size_t i = 0; i < signature.size(); ++i) {
      signature[i] = std::min(signature[i], Mix(shingle ^ seeds[i]));
    }
  }
  return signature;
}

uint64_t BandKey(const Signature& signature, size_t band) {
  uint64_t key = Mix(band + 1);
  for (size_t row = 0; row < kRows; ++row) key = Mix(key ^ signature[band * kRows + row]);
  return key;
}

}  // namespace

Shingles MakeShingles(absl::string_view text, int64_t words) {
  const std::vector<std::string> all = FoldedWords(text);
  Shingles shingles;
  if (all.empty()) return shingles;
  const size_t width =
      std::min<size_t>(all.size(), static_cast<size_t>(std::max<int64_t>(words, 1)));
  for (size_t first = 0; first + width <= all.size(); ++first) {
    std::string run;
    for (size_t i = first; i < first + width; ++i) {
      run += all[i];
      run += ' ';
    }
    shingles.push_back(Mix(StreamPurpose(run)));
  }
  std::sort(shingles.begin(), shingles.end());
  shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
  return shingles;
}

double Jaccard(const Shingles& a, const Shingles& b) {
  size_t common = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      ++common, ++i, ++j;
    } else if (a[i] < b[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  const size_t all = a.size() + b.size() - common;
  return all == 0 ? 0 : static_cast<double>(common) / static_cast<double>(all);
}

std::vector<NearMatch> FindNearMatches(const std::vector<Shingles>& probes,
                                       const std::vector<Shingles>& indexed, double threshold) {
  std::unordered_map<uint64_t, std::vector<size_t>> buckets;
  for (size_t i = 0; i < indexed.size(); ++i) {
    if (indexed[i].empty()) continue;
    const Signature signature = MinHash(indexed[i]);
    for (size_t band = 0; band < kBands; ++band) buckets[BandKey(signature, band)].push_back(i);
  }
  std::vector<NearMatch> matches;
  for (size_t p = 0; p < probes.size(); ++p) {
    if (probes[p].empty()) continue;
    const Signature signature = MinHash(probes[p]);
    std::vector<size_t> candidates;
    for (size_t band = 0; band < kBands; ++band) {
      const auto bucket = buckets.find(BandKey(signature, band));
      if (bucket == buckets.end()) continue;
      const size_t taken = std::min(bucket->second.size(), kMaxCandidates);
      candidates.insert(candidates.end(), bucket->second.begin(), bucket->second.begin() + taken);
    }
    std::sort(candidates.begin(), candidates.end());
    candidates.erase(std::unique(candidates.begin(), candidates.end()), candidates.end());
    if (candidates.size() > kMaxCandidates) candidates.resize(kMaxCandidates);
    NearMatch best{p, 0, -1};
    for (const size_t i : candidates) {
      const double similarity = Jaccard(probes[p], indexed[i]);
      if (similarity > best.similarity) best = {p, i, similarity};
    }
    if (best.similarity >= threshold) matches.push_back(best);
  }
  return matches;
}

}  // namespace scm::corpus
