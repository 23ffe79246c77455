#include "common/json.h"

#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

constexpr int kMaxDepth = 64;

// Quotes bare NaN, Infinity and -Infinity outside strings; returns the text unchanged without any.
std::string QuoteBareNonFinite(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < text.size()) out += text[++i];
      if (c == '"') in_string = false;
      ++i;
      continue;
    }
    absl::string_view token;
    for (absl::string_view candidate : {"NaN", "Infinity", "-Infinity"}) {
      if (text.substr(i, candidate.size()) == candidate) token = candidate;
    }
    if (!token.empty()) {
      absl::StrAppend(&out, "\"", token, "\"");
      i += token.size();
      continue;
    }
    if (c == '"') in_string = true;
    out += c;
    ++i;
  }
  return out;
}

// Watches the parse for what nlohmann accepts and scm refuses.
template <typename AnyJson>
struct Guard {
  using Event = typename AnyJson::parse_event_t;
  std::vector<std::set<std::string>> keys;
  std::string problem;

  bool operator()(Event event, AnyJson& parsed) {
    if (!problem.empty()) return true;

    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end && !keys.empty()) keys.pop_back();
    if (event == Event::key && !keys.empty()) {
      const std::string key = parsed.template get<std::string>();
      if (!keys.back().insert(key).second) problem = absl::StrCat("key \"", key, "\" is doubled");
    }
    return true;
  }
};

template <typename AnyJson>
absl::StatusOr<AnyJson> Parse(absl::string_view text, absl::string_view what) {
  // The depth check must come before the parser, whose own recursion-free stack is unbounded.
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) {
        return absl::InvalidArgumentError(
            absl::StrCat(what, ": nested deeper than ", kMaxDepth, " at byte ", i));
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  Guard<AnyJson> guard;
  auto watch = [&guard](int, typename AnyJson::parse_event_t e, AnyJson& p) { return guard(e, p); };
  try {
    AnyJson json = AnyJson::parse(text.begin(), text.end(), watch);
    if (!guard.problem.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": ", guard.problem));
    }
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": not valid JSON at byte ", error.byte, ": ", error.what()));
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": not valid JSON: ", error.what()));
  }
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what) {
  std::string quoted;
  if (text.find("NaN") != text.npos || text.find("Infinity") != text.npos) {
    quoted = QuoteBareNonFinite(text);
    text = quoted;
  }
  return Parse<Json>(text, what);
}

absl::StatusOr<SortedJson> ParseSortedJson(absl::string_view text, absl::string_view what) {
  return Parse<SortedJson>(text, what);
}

Json JsonNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

std::optional<double> NumberFromJson(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

const Json& MemberAt(const Json& object, absl::string_view key) {
  static const Json* const null = new Json;
  if (!object.is_object()) return *null;
  const auto it = object.find(std::string(key));
  return it == object.end() ? *null : *it;
}

std::string StringAt(const Json& object, absl::string_view key, absl::string_view otherwise) {
  const Json& member = MemberAt(object, key);
  return member.is_string() ? member.get<std::string>() : std::string(otherwise);
}

double NumberAt(const Json& object, absl::string_view key, double otherwise) {
  return NumberFromJson(MemberAt(object, key)).value_or(otherwise);
}

int64_t IntegerAt(const Json& object, absl::string_view key, int64_t otherwise) {
  const Json& member = MemberAt(object, key);
  if (member.is_number_integer()) return member.get<int64_t>();
  const std::optional<double> number = NumberFromJson(member);
  return number && std::fabs(*number) < 9.0e15 ? static_cast<int64_t>(*number) : otherwise;
}

bool BoolAt(const Json& object, absl::string_view key, bool otherwise) {
  const Json& member = MemberAt(object, key);
  return member.is_boolean() ? member.get<bool>() : otherwise;
}

}  // namespace scm
