#include "experiment/scalar.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace scm::experiment_file {
namespace {

constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53

// [+-] digits [. digits] [e[+-]digits], without leading zeros; also .5 and 5.
bool LooksLikeNumber(absl::string_view text) {
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
  const size_t whole = i;
  while (i < text.size() && absl::ascii_isdigit(text[i])) ++i;
  const size_t whole_digits = i - whole;
  if (whole_digits > 1 && text[whole] == '0') return false;
  size_t fraction_digits = 0;
  if (i < text.size() && text[i] == '.') {
    const size_t fraction = ++i;
    while (i < text.size() && absl::ascii_isdigit(text[i])) ++i;
    fraction_digits = i - fraction;
  }
  if (whole_digits + fraction_digits == 0) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) ++i;
    const size_t exponent = i;
    while (i < text.size() && absl::ascii_isdigit(text[i])) ++i;
    if (i == exponent) return false;
  }
  return i == text.size();
}

bool LooksLikeInteger(absl::string_view text) {
  return LooksLikeNumber(text) && text.find_first_of(".eE") == text.npos;
}

// YAML's spelling of the numbers that JSON lacks; "" for anything else.
std::string NonFiniteName(absl::string_view text) {
  const std::string lower = absl::AsciiStrToLower(text);
  if (lower == ".nan") return "NaN";
  if (lower == ".inf" || lower == "+.inf") return "Infinity";
  if (lower == "-.inf") return "-Infinity";
  return "";
}

std::string Shortened(const std::string& text) {
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return text;
  size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "…");
}

Json PlainToJson(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  const std::string non_finite = NonFiniteName(text);
  if (!non_finite.empty()) return non_finite;
  if (!LooksLikeNumber(text)) return text;
  int64_t integer;
  if (LooksLikeInteger(text) && absl::SimpleAtoi(text, &integer)) return integer;
  uint64_t large;
  if (LooksLikeInteger(text) && absl::SimpleAtoi(text, &large)) return large;
  double number;
  return absl::SimpleAtod(text, &number) ? JsonNumber(number) : Json(text);
}

}  // namespace

std::optional<bool> AsBool(const Node& node) {
  if (node.kind != NodeKind::kPlain) return std::nullopt;
  if (node.text == "true") return true;
  if (node.text == "false") return false;
  return std::nullopt;
}

std::optional<double> AsNumber(const Node& node) {
  if (node.kind != NodeKind::kPlain || !LooksLikeNumber(node.text)) return std::nullopt;
  double number;
  if (!absl::SimpleAtod(node.text, &number) || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<int64_t> AsInteger(const Node& node) {
  if (node.kind != NodeKind::kPlain) return std::nullopt;
  int64_t integer;
  if (LooksLikeInteger(node.text)) {
    return absl::SimpleAtoi(node.text, &integer) ? std::optional(integer) : std::nullopt;
  }
  const std::optional<double> number = AsNumber(node);
  if (!number || std::trunc(*number) != *number || std::fabs(*number) > kMaxExactInteger) {
    return std::nullopt;
  }
  return static_cast<int64_t>(*number);
}

std::optional<std::string> AsText(const Node& node) {
  if (node.kind == NodeKind::kQuoted) return node.text;
  if (node.kind != NodeKind::kPlain || AsBool(node) || LooksLikeNumber(node.text)) {
    return std::nullopt;
  }
  return node.text;
}

std::optional<std::string> AsWordOrNumber(const Node& node) {
  if (node.kind != NodeKind::kQuoted && node.kind != NodeKind::kPlain) return std::nullopt;
  return node.text;
}

bool IsNone(const Node& node) {
  return node.kind == NodeKind::kNull ||
         (node.text == "none" && (node.kind == NodeKind::kPlain || node.kind == NodeKind::kQuoted));
}

std::string Found(const Node& node) {
  switch (node.kind) {
    case NodeKind::kEmpty:
      return "found nothing";
    case NodeKind::kNull:
      return "found null";
    case NodeKind::kList:
      return "found a list";
    case NodeKind::kMap:
      return "found a section";
    case NodeKind::kQuoted:
      return absl::StrCat("found the text \"", Shortened(node.text), "\"",
                          LooksLikeNumber(node.text) || node.text == "true" || node.text == "false"
                              ? " (the quotes make it text; remove them)"
                              : "");
    case NodeKind::kPlain:
      return absl::StrCat("found ", Shortened(node.text));
  }
  return "";
}

Json ToJson(const Node& node) {
  switch (node.kind) {
    case NodeKind::kEmpty:
    case NodeKind::kNull:
      return nullptr;
    case NodeKind::kQuoted:
      return node.text;
    case NodeKind::kPlain:
      return PlainToJson(node.text);
    case NodeKind::kList: {
      Json list = Json::array();
      for (const NodePtr& item : node.items) list.push_back(ToJson(*item));
      return list;
    }
    case NodeKind::kMap: {
      Json object = Json::object();
      for (const Entry& entry : node.entries) object[entry.key] = ToJson(*entry.value);
      return object;
    }
  }
  return nullptr;
}

}  // namespace scm::experiment_file
