#include "model/tokenize/bpe.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::model {
namespace {

// Up to this many symbols, looking through all pairs is quicker than keeping a heap.
constexpr size_t kShort = 48;
constexpr int32_t kNoRank = std::numeric_limits<int32_t>::max();

std::string QuotedBytes(absl::string_view bytes) {
  return absl::StrCat("\"", absl::Utf8SafeCHexEscape(bytes.substr(0, 100)), "\"");
}

uint64_t Key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> MergesById(
    const std::vector<std::string>& tokens) {
  absl::flat_hash_map<absl::string_view, size_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) ids.emplace(tokens[id], id);
  }
  std::vector<std::pair<std::string, std::string>> merges;
  for (const absl::string_view token : tokens) {
    std::vector<std::tuple<size_t, size_t, size_t>> cuts;  // ids of both sides, where it is cut
    for (size_t at = 1; at < token.size(); ++at) {
      const auto left = ids.find(token.substr(0, at));
      if (left == ids.end()) continue;
      const auto right = ids.find(token.substr(at));
      if (right != ids.end()) cuts.emplace_back(left->second, right->second, at);
    }
    std::sort(cuts.begin(), cuts.end());
    for (const auto& [left, right, at] : cuts) {
      merges.emplace_back(token.substr(0, at), token.substr(at));
    }
  }
  return merges;
}

absl::StatusOr<std::unique_ptr<Bpe>> Bpe::Make(BpeVocabulary vocabulary, absl::string_view what) {
  std::unique_ptr<Bpe> bpe(new Bpe(std::move(vocabulary)));
  SCM_RETURN_IF_ERROR(bpe->Init(what));
  return bpe;
}

absl::Status Bpe::Init(absl::string_view what) {
  const std::vector<std::string>& tokens = vocabulary_.tokens;
  if (tokens.size() > static_cast<size_t>(kNoRank) || vocabulary_.merges.size() >= kNoRank) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": the vocabulary is too large"));
  }
  ids_.reserve(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty()) continue;
    if (!ids_.emplace(tokens[id], static_cast<int32_t>(id)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": token ", QuotedBytes(tokens[id]), " is in the vocabulary twice"));
    }
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char one = static_cast<char>(byte);
    byte_ids_[byte] = Find(absl::string_view(&one, 1));
  }
  merges_.reserve(vocabulary_.merges.size());
  int32_t rank = 0;
  for (const auto& [left, right] : vocabulary_.merges) {
    const std::string both = left + right;
    const int32_t l = Find(left), r = Find(right), id = Find(both);
    if (l < 0 || r < 0 || id < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": merge ", rank, " (", QuotedBytes(left), " ", QuotedBytes(right),
                       ") names or makes a token that is not in the vocabulary"));
    }
    merges_[Key(l, r)] = {rank++, id};
  }
  if (vocabulary_.merges_by_id) AddMergesById();
  to_itself_ = std::make_unique<std::atomic<uint8_t>[]>(tokens.size());
  return absl::OkStatus();
}

void Bpe::AddMergesById() {
  for (size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
    const absl::string_view token = vocabulary_.tokens[id];
    for (size_t at = 1; at < token.size(); ++at) {
      const int32_t left = Find(token.substr(0, at));
      const int32_t right = left < 0 ? -1 : Find(token.substr(at));
      const auto both = static_cast<int32_t>(id);
      if (right >= 0) merges_[Key(left, right)] = {both, both};
    }
  }
}

int32_t Bpe::Find(absl::string_view bytes) const {
  const auto it = ids_.find(bytes);
  return it == ids_.end() ? -1 : it->second;
}

const Bpe::Merge* Bpe::FindMerge(int32_t left, int32_t right) const {
  const auto it = merges_.find(Key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

void Bpe::Encode(absl::string_view piece, std::vector<int32_t>& out) const {
  const int32_t id = Find(piece);
  if (id >= 0 && (vocabulary_.ignore_merges || MergesToItself(id))) {
    out.push_back(id);
    return;
  }
  EncodeByMerging(piece, out);
}

bool Bpe::MergesToItself(int32_t id) const {
  std::atomic<uint8_t>& known = to_itself_[id];
  uint8_t state = known.load(std::memory_order_relaxed);
  if (state == 0) {
    std::vector<int32_t> ids;
    EncodeByMerging(vocabulary_.tokens[id], ids);
    state = ids.size() == 1 && ids[0] == id ? 1 : 2;
    known.store(state, std::memory_order_relaxed);
  }
  return state == 1;
}

void Bpe::EncodeByMerging(absl::string_view piece, std::vector<int32_t>& out) const {
  std::vector<int32_t> ids;
  ids.reserve(piece.size());
  for (const char byte : piece) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
    if (id >= 0) ids.push_back(id);
  }
  if (ids.size() <= kShort) {
    MergeShort(ids);
  } else {
    MergeLong(ids);
  }
  out.insert(out.end(), ids.begin(), ids.end());
}

void Bpe::MergeShort(std::vector<int32_t>& ids) const {
  // pair[i] is the merge of ids[i] and ids[i + 1].
  Merge pair[kShort];
  const auto look = [&](size_t i) {
    const Merge* merge = FindMerge(ids[i], ids[i + 1]);
    pair[i] = merge == nullptr ? Merge{kNoRank, -1} : *merge;
  };
  size_t count = ids.size();
  for (size_t i = 0; i + 1 < count; ++i) look(i);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (pair[i].rank < pair[best].rank) best = i;
    }
    if (pair[best].rank == kNoRank) break;
    ids[best] = pair[best].id;
    std::copy(ids.begin() + best + 2, ids.begin() + count, ids.begin() + best + 1);
    std::copy(pair + best + 1, pair + count - 1, pair + best);
    --count;
    if (best > 0) look(best - 1);
    if (best + 1 < count) look(best);
  }
  ids.resize(count);
}

void Bpe::MergeLong(std::vector<int32_t>& ids) const {
  // A linked list of symbols and a heap of candidate merges; candidates whose symbols have changed
  // since are skipped when they come up.
  struct Candidate {
    int32_t rank;
    size_t left;
    int32_t left_id, right_id, id;
    bool operator>(const Candidate& other) const {
      return std::tie(rank, left) > std::tie(other.rank, other.left);
    }
  };
  const size_t end = ids.size();
  std::vector<size_t> next(end), previous(end);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto push = [&](size_t left) {
    if (left >= end || next[left] >= end) return;
    const Merge* merge = FindMerge(ids[left], ids[next[left]]);
    if (merge != nullptr) heap.push({merge->rank, left, ids[left], ids[next[left]], merge->id});
  };
  for (size_t i = 0; i < end; ++i) {
    next[i] = i + 1;
    previous[i] = i == 0 ? end : i - 1;
  }
  for (size_t i = 0; i + 1 < end; ++i) push(i);
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    const size_t right = next[top.left];
    if (ids[top.left] != top.left_id || right >= end || ids[right] != top.right_id) continue;
    ids[top.left] = top.id;
    ids[right] = -1;
    next[top.left] = next[right];
    if (next[right] < end) previous[next[right]] = top.left;
    push(previous[top.left]);
    push(top.left);
  }
  ids.erase(std::remove(ids.begin(), ids.end(), -1), ids.end());
}

}  // namespace scm::model
