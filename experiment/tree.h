// The syntax tree of an experiment file: what the YAML says before anyone asks what it means.
// Bounded in size, depth and alias expansion, so that a hostile file costs no more than its bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/json.h"
#include "experiment/parse.h"

namespace scm::experiment_file {

// Where something stands in the file. `order` sorts what shares a line.
struct Place {
  int line = 0;  // 1-based; 0 = the file as a whole
  int64_t order = -1;
};

enum class NodeKind {
  kEmpty,   // a key with nothing behind it
  kNull,    // null or ~, spelt out
  kPlain,   // a bare word or number
  kQuoted,  // text in quotes, or a block scalar
  kList,
  kMap,
};

struct Node;
// Shared, because an alias and its anchor are one node.
using NodePtr = std::shared_ptr<const Node>;

struct Entry {
  std::string key;
  Place place;  // of the key
  NodePtr value;
};

struct Node {
  NodeKind kind = NodeKind::kEmpty;
  Place place;
  std::string text;            // kPlain, kQuoted
  std::vector<NodePtr> items;  // kList
  std::vector<Entry> entries;  // kMap, in file order, doubled keys included
  int64_t size = 1;            // nodes below and including this one, aliases expanded
  int height = 1;              // levels, likewise
};

inline constexpr int64_t kMaxFileBytes = 1 << 20;
inline constexpr int64_t kMaxNodes = 20000;  // aliases expanded
inline constexpr int kMaxDepth = 48;         // below the limit of common/json.h
inline constexpr size_t kMaxKeyBytes = 200;

struct Tree {
  NodePtr root;                     // null iff there is an error
  std::optional<Diagnostic> error;  // the first thing that keeps the file from being read at all
};

// The first value behind `key` of a map; null where there is none, or where `map` is none.
const Node* ChildOf(const Node* map, absl::string_view key);

// Never throws.
Tree ParseTree(absl::string_view text);

// The tree that the same JSON written as text would give; every place is {0, -1}.
NodePtr TreeFromJson(const Json& json);

}  // namespace scm::experiment_file
