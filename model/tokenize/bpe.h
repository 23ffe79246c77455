// Byte-pair encoding of one pre-token: starting from single bytes, the adjacent pair that was
// learnt first is merged, leftmost first, until no pair is known (Sennrich et al. 2016, on bytes).
// Immutable to its callers and thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace scm::model {

struct BpeVocabulary {
  // By id, as raw bytes. Ids that no text is encoded to are empty.
  std::vector<std::string> tokens;
  // Both sides as raw bytes, first learnt first.
  std::vector<std::pair<std::string, std::string>> merges;
  // A whole pre-token that is in the vocabulary is taken as it is (Llama 3).
  bool ignore_merges = false;
  // Any two neighbours that make a token are a merge, the lowest id first (tiktoken); `merges` is
  // empty then.
  bool merges_by_id = false;
};

// The merges that `merges_by_id` stands for, in the order in which transformers' converter writes
// them into a tokenizer.json.
std::vector<std::pair<std::string, std::string>> MergesById(const std::vector<std::string>& tokens);

class Bpe {
 public:
  // INVALID_ARGUMENT when a merge names a token that the vocabulary lacks, or a token is there
  // twice.
  static absl::StatusOr<std::unique_ptr<Bpe>> Make(BpeVocabulary vocabulary,
                                                   absl::string_view what);

  // Appends the ids of `piece`. Bytes that the vocabulary lacks are left out, as Hugging Face does
  // without an unknown token (SmolLM2 lacks some control characters).
  void Encode(absl::string_view piece, std::vector<int32_t>& out) const;
  // The id of exactly these bytes, or −1.
  int32_t Find(absl::string_view bytes) const;
  const BpeVocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    int32_t rank, id;
  };
  explicit Bpe(BpeVocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  absl::Status Init(absl::string_view what);
  void AddMergesById();
  const Merge* FindMerge(int32_t left, int32_t right) const;
  // Whether merging the token's own bytes ends in this one token. Found out once for each token
  // that turns up; threads that race find out the same.
  bool MergesToItself(int32_t id) const;
  void EncodeByMerging(absl::string_view piece, std::vector<int32_t>& out) const;
  void MergeShort(std::vector<int32_t>& ids) const;
  void MergeLong(std::vector<int32_t>& ids) const;

  BpeVocabulary vocabulary_;
  absl::flat_hash_map<absl::string_view, int32_t> ids_;  // views into vocabulary_.tokens
  absl::flat_hash_map<uint64_t, Merge> merges_;          // left << 32 | right
  std::array<int32_t, 256> byte_ids_;
  std::unique_ptr<std::atomic<uint8_t>[]> to_itself_;  // 0 unknown, 1 yes, 2 no
};

}  // namespace scm::model
