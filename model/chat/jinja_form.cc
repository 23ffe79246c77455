#include "model/chat/jinja_form.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace scm::model {
namespace {

// Real ones have some kilobytes. White space may be looked through again at every tag.
constexpr size_t kMaxTemplate = 100'000;

using Tokens = std::vector<std::string>;  // a string's token begins with a quote

struct Node {
  enum class Kind { kText, kPrint, kBlock } kind;
  std::string text;  // of a kText
  Tokens tokens;     // of the others
};

bool IsWordByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool IsString(const std::string& token) { return !token.empty() && token[0] == '"'; }

// Cuts the source into text and tags, with white space taken away as Jinja does.
class JinjaScanner {
 public:
  explicit JinjaScanner(absl::string_view source) : rest_(source) {}

  absl::StatusOr<std::vector<Node>> Scan() {
    if (absl::EndsWith(rest_, "\n")) rest_.remove_suffix(1);
    while (!rest_.empty()) {
      const size_t tag = FindTag();
      AddText(rest_.substr(0, tag));
      if (tag == rest_.npos) break;
      rest_.remove_prefix(tag);
      SCM_RETURN_IF_ERROR(TakeTag());
    }
    return std::move(nodes_);
  }

 private:
  size_t FindTag() const {
    for (size_t at = 0; at + 1 < rest_.size(); ++at) {
      if (rest_[at] == '{' && absl::StrContains("{%#", rest_[at + 1])) return at;
    }
    return rest_.npos;
  }

  void AddText(absl::string_view text) {
    if (text.empty()) return;
    if (nodes_.empty() || nodes_.back().kind != Node::Kind::kText) {
      nodes_.push_back({Node::Kind::kText, "", {}});
    }
    absl::StrAppend(&nodes_.back().text, text);
  }

  // White space before a tag: all of it behind "{%-", the line's indentation else.
  void StripBefore(char kind, char sign) {
    if (nodes_.empty() || nodes_.back().kind != Node::Kind::kText || sign == '+') return;
    std::string& text = nodes_.back().text;
    if (sign == '-') {
      absl::StripTrailingAsciiWhitespace(&text);
    } else if (kind != '{') {
      size_t end = text.size();
      while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
      if (end > 0 ? text[end - 1] == '\n' : line_start_) text.resize(end);
    }
    if (text.empty()) nodes_.pop_back();
  }

  void StripBehind(char kind, char sign) {
    line_start_ = false;
    if (sign == '-') {
      rest_ = absl::StripLeadingAsciiWhitespace(rest_);
    } else if (kind != '{' && sign != '+' && absl::StartsWith(rest_, "\n")) {
      rest_.remove_prefix(1);
      line_start_ = true;
    }
  }

  char TakeSign() {
    if (rest_.empty() || (rest_[0] != '-' && rest_[0] != '+')) return 0;
    const char sign = rest_[0];
    rest_.remove_prefix(1);
    return sign;
  }

  absl::Status TakeTag() {
    const char kind = rest_[1];
    rest_.remove_prefix(2);
    StripBefore(kind, TakeSign());
    if (kind == '#') return TakeComment();
    const char close = kind == '{' ? '}' : '%';
    Node node{kind == '{' ? Node::Kind::kPrint : Node::Kind::kBlock, "", {}};
    while (true) {
      rest_ = absl::StripLeadingAsciiWhitespace(rest_);
      if (rest_.empty()) return absl::InvalidArgumentError("a tag does not end");
      const size_t sign = rest_[0] == '-' || rest_[0] == '+' ? 1 : 0;
      if (rest_.size() > sign + 1 && rest_[sign] == close && rest_[sign + 1] == '}') {
        const char mark = TakeSign();
        rest_.remove_prefix(2);
        nodes_.push_back(std::move(node));
        StripBehind(kind, mark);
        return absl::OkStatus();
      }
      SCM_RETURN_IF_ERROR(TakeToken(node.tokens));
    }
  }

  absl::Status TakeComment() {
    const size_t end = rest_.find("#}");
    if (end == rest_.npos) return absl::InvalidArgumentError("a comment does not end");
    const char sign =
        end > 0 && (rest_[end - 1] == '-' || rest_[end - 1] == '+') ? rest_[end - 1] : 0;
    rest_.remove_prefix(end + 2);
    StripBehind('#', sign);
    return absl::OkStatus();
  }

  absl::Status TakeToken(Tokens& tokens) {
    if (rest_[0] == '\'' || rest_[0] == '"') return TakeString(tokens);
    size_t length = 1;
    if (IsWordByte(rest_[0])) {
      while (length < rest_.size() && IsWordByte(rest_[length])) ++length;
    } else {
      for (const char* two : {"==", "!=", "<=", ">=", "//", "**"}) {
        if (absl::StartsWith(rest_, two)) length = 2;
      }
    }
    tokens.emplace_back(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return absl::OkStatus();
  }

  // Kept as what it stands for behind one quote.
  absl::Status TakeString(Tokens& tokens) {
    const char quote = rest_[0];
    std::string value = "\"";
    size_t at = 1;
    for (; at < rest_.size() && rest_[at] != quote; ++at) {
      if (rest_[at] != '\\' || at + 1 == rest_.size()) {
        value += rest_[at];
        continue;
      }
      const char escaped = rest_[++at];
      if (escaped == 'n') {
        value += '\n';
      } else if (escaped == 't') {
        value += '\t';
      } else if (escaped == 'r') {
        value += '\r';
      } else if (absl::StrContains("\\'\"", escaped)) {
        value += escaped;
      } else {
        value += '\\';
        value += escaped;
      }
    }
    if (at == rest_.size()) return absl::InvalidArgumentError("a string does not end");
    rest_.remove_prefix(at + 1);
    tokens.push_back(std::move(value));
    return absl::OkStatus();
  }

  absl::string_view rest_;
  bool line_start_ = true;  // whether the text that follows a tag begins a line
  std::vector<Node> nodes_;
};

// A string whose text could stand behind a dot.
bool NamesMember(const std::string& token) {
  return IsString(token) && token.size() > 1 &&
         std::all_of(token.begin() + 1, token.end(), IsWordByte);
}

// a['b'] becomes a.b.
Tokens WithDots(const Tokens& tokens) {
  Tokens out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool behind = !out.empty() &&
                        (IsWordByte(out.back().back()) || out.back() == "]" || out.back() == ")") &&
                        !IsString(out.back());
    if (behind && tokens[i] == "[" && i + 2 < tokens.size() && NamesMember(tokens[i + 1]) &&
        tokens[i + 2] == "]") {
      out.push_back(".");
      out.push_back(tokens[i + 1].substr(1));
      i += 2;
    } else {
      out.push_back(tokens[i]);
    }
  }
  return out;
}

// The parts of "a + b + c", where nothing but + and what binds closer stands between them.
std::vector<Tokens> Summands(const Tokens& tokens) {
  static constexpr absl::string_view kLooser[] = {"if", "else", "or", "and", "not", "in",
                                                  "is", "==",   "!=", "<",   ">",   "<=",
                                                  ">=", "~",    ",",  "-",   "="};
  std::vector<Tokens> parts(1);
  int depth = 0;
  for (const std::string& token : tokens) {
    depth += token == "(" || token == "[" || token == "{";
    depth -= token == ")" || token == "]" || token == "}";
    if (depth == 0) {
      for (const absl::string_view looser : kLooser) {
        if (token == looser) return {tokens};
      }
    }
    if (depth == 0 && token == "+") {
      parts.emplace_back();
    } else {
      parts.back().push_back(token);
    }
  }
  return parts;
}

// {{ 'x' + a.b }} becomes the text x and {{ a.b }}.
void Spread(const Node& node, std::vector<Node>& out) {
  for (Tokens& part : Summands(node.tokens)) {
    if (part.size() != 1 || !IsString(part[0])) {
      out.push_back({Node::Kind::kPrint, "", std::move(part)});
    } else if (!out.empty() && out.back().kind == Node::Kind::kText) {
      out.back().text += part[0].substr(1);
    } else {
      out.push_back({Node::Kind::kText, part[0].substr(1), {}});
    }
  }
}

bool Begins(const Node& node, const char* word) {
  return node.kind == Node::Kind::kBlock && !node.tokens.empty() && node.tokens[0] == word;
}

bool IsBlock(const Node& node, const char* text) {
  return node.kind == Node::Kind::kBlock && absl::StrJoin(node.tokens, " ") == text;
}

// The node behind the {% endif %} of the {% if %} at `begin`.
size_t BehindIf(const std::vector<Node>& nodes, size_t begin) {
  int depth = 0;
  for (size_t at = begin; at < nodes.size(); ++at) {
    depth += Begins(nodes[at], "if");
    depth -= Begins(nodes[at], "endif");
    if (depth == 0) return at + 1;
  }
  return nodes.size();
}

// Without what says nothing about a conversation that is complete.
std::vector<Node> OfWholeConversations(std::vector<Node> nodes) {
  std::vector<Node> out;
  for (size_t at = 0; at < nodes.size();) {
    if (IsBlock(nodes[at], "if add_generation_prompt") ||
        IsBlock(nodes[at], "if not add_generation_prompt is defined")) {
      at = BehindIf(nodes, at);
      continue;
    }
    if (!IsBlock(nodes[at], "generation") && !IsBlock(nodes[at], "endgeneration")) {
      out.push_back(std::move(nodes[at]));
    }
    ++at;
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> JinjaForm(absl::string_view source) {
  if (source.size() > kMaxTemplate) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", source.size(), " bytes, expected at most ", kMaxTemplate));
  }
  SCM_ASSIGN_OR_RETURN(std::vector<Node> scanned, JinjaScanner(source).Scan());
  std::vector<Node> nodes;
  for (Node& node : OfWholeConversations(std::move(scanned))) {
    node.tokens = WithDots(node.tokens);
    if (node.kind == Node::Kind::kPrint) {
      Spread(node, nodes);
    } else if (node.kind == Node::Kind::kText && !nodes.empty() &&
               nodes.back().kind == Node::Kind::kText) {
      nodes.back().text += node.text;
    } else {
      nodes.push_back(std::move(node));
    }
  }
  std::string form;
  for (const Node& node : nodes) {
    if (node.kind == Node::Kind::kText) {
      absl::StrAppend(&form, "T ", absl::CEscape(node.text), "\n");
      continue;
    }
    absl::StrAppend(&form, node.kind == Node::Kind::kPrint ? "P" : "B");
    for (const std::string& token : node.tokens) absl::StrAppend(&form, " ", absl::CEscape(token));
    absl::StrAppend(&form, "\n");
  }
  return form;
}

}  // namespace scm::model
