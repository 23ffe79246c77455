#include "experiment/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/utf8.h"

namespace scm::experiment_file {
namespace {

// Leaves yaml-cpp from inside a callback; caught in ParseTree, never seen outside this file.
struct Refusal {
  int line;
  std::string message;
};

// Builds the tree from yaml-cpp's events. Events rather than its own nodes, because those merge
// doubled keys silently and expand aliases without a bound.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(absl::string_view text) : text_(text) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) {
      throw Refusal{
          mark.line + 1,
          "the experiment ends above this line, and something follows. Indent it like the "
          "lines above, or remove the second document (---)"};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto node = NewNode(mark, SpelledOutNull(mark) ? NodeKind::kNull : NodeKind::kEmpty);
    Remember(anchor, node);
    Add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw Refusal{mark.line + 1, "an alias (*) that stands inside what it names"};
    }
    line_ = mark.line + 1;
    Add(found->second);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?";
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") RefuseTag(mark);
    if (!plain) CheckQuoteIsClosed(mark);
    if (value.find('\0') != std::string::npos) {
      throw Refusal{mark.line + 1, "text that holds a NUL character; remove it"};
    }
    auto node = NewNode(mark, plain ? NodeKind::kPlain : NodeKind::kQuoted);
    node->text = value;
    Remember(anchor, node);
    Add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, NodeKind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, NodeKind::kMap);
  }
  void OnMapEnd() override { Close(); }

  NodePtr root() const { return root_; }

 private:
  // A list or map that is still being read.
  struct Level {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor;
    bool has_key = false;
    std::string key;
    Place key_place;
  };

  std::shared_ptr<Node> NewNode(const YAML::Mark& mark, NodeKind kind) {
    if (++seen_ > kMaxNodes) RefuseSize(mark.line + 1);
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->place = {mark.line + 1, mark.pos};
    line_ = mark.line + 1;
    return node;
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, NodeKind kind) {
    if (tag != "?" && tag != "!" && !tag.empty()) RefuseTag(mark);
    levels_.push_back({NewNode(mark, kind), anchor, false, "", {}});
    CheckDepth(0);
  }

  void Close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    Remember(level.anchor, level.node);
    Add(std::move(level.node));
  }

  // Puts a finished node where it belongs: the root, a list's next item, a map's key or value.
  void Add(NodePtr node) {
    CheckDepth(node->height);
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    Node& parent = *level.node;
    if (parent.kind == NodeKind::kMap && !level.has_key) {
      level.key = KeyText(*node);
      level.key_place = node->place;
      level.has_key = true;
      return;
    }
    parent.size += node->size;
    parent.height = std::max(parent.height, node->height + 1);
    if (parent.size > kMaxNodes) RefuseSize(line_);
    if (parent.kind == NodeKind::kMap) {
      parent.entries.push_back({std::move(level.key), level.key_place, std::move(node)});
      level.has_key = false;
    } else {
      parent.items.push_back(std::move(node));
    }
  }

  std::string KeyText(const Node& node) const {
    if (node.kind != NodeKind::kPlain && node.kind != NodeKind::kQuoted) {
      throw Refusal{line_, "a key must be a word, as in `max_steps: 2000`"};
    }
    if (node.kind == NodeKind::kPlain && node.text == "<<") {
      throw Refusal{line_, "merge keys (<<) are not supported; write the keys out"};
    }
    if (node.text.size() > kMaxKeyBytes) {
      throw Refusal{line_, absl::StrCat("a key of ", node.text.size(), " bytes; at most ",
                                        kMaxKeyBytes, " are allowed")};
    }
    return node.text;
  }

  void Remember(YAML::anchor_t anchor, NodePtr node) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = std::move(node);
  }

  void CheckDepth(int height) const {
    if (static_cast<int>(levels_.size()) + height > kMaxDepth) {
      throw Refusal{line_, absl::StrCat("nested deeper than ", kMaxDepth, " levels")};
    }
  }

  [[noreturn]] static void RefuseSize(int line) {
    throw Refusal{line, absl::StrCat("more than ", kMaxNodes,
                                     " values (aliases counted each time they are used)")};
  }
  [[noreturn]] static void RefuseTag(const YAML::Mark& mark) {
    throw Refusal{mark.line + 1, "tags (!word) are not supported; remove it"};
  }

  // yaml-cpp reports an empty value at the next token, so only the text tells `a: null` from `a:`.
  bool SpelledOutNull(const YAML::Mark& mark) const {
    if (mark.pos < 0 || static_cast<size_t>(mark.pos) >= text_.size()) return false;
    const absl::string_view rest = text_.substr(mark.pos);
    for (absl::string_view word : {"null", "Null", "NULL", "~"}) {
      if (rest.substr(0, word.size()) != word) continue;
      return rest.size() == word.size() ||
             absl::string_view(" \t\r\n,]}#").find(rest[word.size()]) != absl::string_view::npos;
    }
    return false;
  }

  // yaml-cpp takes the end of the file for a closing quote.
  void CheckQuoteIsClosed(const YAML::Mark& mark) const {
    if (mark.pos < 0 || static_cast<size_t>(mark.pos) >= text_.size()) return;
    const char quote = text_[mark.pos];
    if (quote != '"' && quote != '\'') return;
    for (size_t i = mark.pos + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != '\'') return;
        ++i;  // '' is a quote inside the text
      }
    }
    throw Refusal{mark.line + 1, "a quote that is never closed"};
  }

  const absl::string_view text_;
  int documents_ = 0;
  int64_t seen_ = 0;
  int line_ = 0;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  NodePtr root_;
};

std::optional<Diagnostic> CheckBytes(absl::string_view text) {
  if (static_cast<int64_t>(text.size()) > kMaxFileBytes) {
    return Diagnostic{0, "",
                      absl::StrCat("the file has ", text.size(),
                                   " bytes; an experiment file "
                                   "has at most ",
                                   kMaxFileBytes)};
  }
  const size_t bad = std::min(FirstInvalidUtf8(text), text.find('\0'));
  if (bad == absl::string_view::npos) return std::nullopt;
  const auto line = 1 + std::count(text.begin(), text.begin() + bad, '\n');
  return Diagnostic{static_cast<int>(line), "",
                    absl::StrFormat("byte 0x%02x at offset %d is no UTF-8 text; save the file as "
                                    "UTF-8",
                                    static_cast<unsigned char>(text[bad]), bad)};
}

// Pairs of surrogate escapes, as JSON writes characters beyond U+FFFF and yaml-cpp refuses them, in
// YAML's own form \UXXXXXXXX.
std::string JoinSurrogates(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const int high = EscapedUnit(text, i), low = EscapedUnit(text, i + 6);
    if (IsHighSurrogate(high) && IsLowSurrogate(low)) {
      absl::StrAppendFormat(&out, "\\U%08X", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
      i += 12;
      continue;
    }
    const size_t length = text[i] == '\\' ? 2 : 1;  // an escaped backslash begins no escape
    absl::StrAppend(&out, text.substr(i, length));
    i += length;
  }
  return out;
}

// yaml-cpp's sentence, and a hint where it is known to puzzle people.
std::string SyntaxMessage(const YAML::Exception& error) {
  std::string message = absl::StrCat("this is not valid YAML: ", error.msg);
  if (error.msg == YAML::ErrorMsg::MAP_VALUE) {
    absl::StrAppend(&message,
                    ". A value that holds ': ' needs quotes; keys of one section share "
                    "one indentation");
  } else if (error.msg == YAML::ErrorMsg::END_OF_MAP || error.msg == YAML::ErrorMsg::BLOCK_ENTRY ||
             error.msg == YAML::ErrorMsg::TAB_IN_INDENTATION) {
    absl::StrAppend(&message,
                    ". Check the indentation: spaces only, the same for every key of a "
                    "section");
  } else if (error.msg == YAML::ErrorMsg::END_OF_MAP_FLOW ||
             error.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW) {
    absl::StrAppend(&message, ". A bracket is not closed, or a comma is missing");
  }
  return message;
}

}  // namespace

namespace {

// `joined`: surrogate pairs are in YAML's form already.
Tree Parse(absl::string_view text, bool joined) {
  Builder builder(text);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return {nullptr, Diagnostic{refusal.line, "", refusal.message}};
  } catch (const YAML::Exception& error) {
    if (!joined && absl::StrContains(error.msg, YAML::ErrorMsg::INVALID_UNICODE)) {
      return Parse(JoinSurrogates(text), true);
    }
    return {nullptr, Diagnostic{std::max(error.mark.line, 0) + 1, "", SyntaxMessage(error)}};
  } catch (const std::exception& error) {
    return {nullptr, Diagnostic{0, "", absl::StrCat("cannot be read: ", error.what())}};
  }
  if (builder.root() == nullptr || builder.root()->kind == NodeKind::kEmpty) {
    return {nullptr, Diagnostic{0, "",
                                "the file is empty. It needs at least a name and what to "
                                "train; docs/experiment-file.md has a minimal example"}};
  }
  return {builder.root(), std::nullopt};
}

}  // namespace

const Node* ChildOf(const Node* map, absl::string_view key) {
  if (map == nullptr) return nullptr;
  for (const Entry& entry : map->entries) {
    if (entry.key == key) return entry.value.get();
  }
  return nullptr;
}

Tree ParseTree(absl::string_view text) {
  if (std::optional<Diagnostic> error = CheckBytes(text)) return {nullptr, std::move(error)};
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  return Parse(text, /*joined=*/false);
}

NodePtr TreeFromJson(const Json& json) {
  auto node = std::make_shared<Node>();
  switch (json.type()) {
    case Json::value_t::object:
      node->kind = NodeKind::kMap;
      for (const auto& [key, value] : json.items()) {
        node->entries.push_back({key, {}, TreeFromJson(value)});
      }
      break;
    case Json::value_t::array:
      node->kind = NodeKind::kList;
      for (const Json& value : json) node->items.push_back(TreeFromJson(value));
      break;
    case Json::value_t::string:
      node->kind = NodeKind::kQuoted;
      node->text = json.get<std::string>();
      break;
    case Json::value_t::null:
      node->kind = NodeKind::kNull;
      break;
    default:
      node->kind = NodeKind::kPlain;
      node->text = DumpJson(json);
  }
  return node;
}

}  // namespace scm::experiment_file
