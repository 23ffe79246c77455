#include "common/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/text.h"
#include "common/utf8.h"

namespace scm {
namespace {

constexpr absl::string_view kLoneSurrogate = "\xef\xbf\xbd";

// Up to so many keys, looking through all of them is the quickest check for doubles.
constexpr size_t kFewKeys = 16;

// The keys of one open object.
class Keys {
 public:
  // False if it was there already.
  bool Insert(const std::string& key, const Json::object_t& object) {
    if (object.size() < kFewKeys) {
      return std::none_of(object.begin(), object.end(),
                          [&](const auto& member) { return member.first == key; });
    }
    if (seen_.empty()) {
      for (const auto& member : object) seen_.insert(member.first);
    }
    return seen_.insert(key).second;
  }
  bool Insert(const std::string& key, const SortedJson::object_t& object) {
    return object.find(key) == object.end();
  }

 private:
  std::set<std::string> seen_;
};

// Appends without the look-up through all earlier members that ordered_map's own insertion makes.
Json& AddMember(Json::object_t& object, std::string& key) {
  return object.Container::emplace_back(std::move(key), Json()).second;
}
SortedJson& AddMember(SortedJson::object_t& object, std::string& key) {
  return object.emplace(std::move(key), SortedJson()).first->second;
}

// What programs print for a missing value or a truth value although JSON has no such word.
constexpr absl::string_view kForeignWords[] = {"NaN",  "nan",  "Infinity",  "inf",
                                               "None", "True", "undefined", "False"};

// The word of that kind that stands at `at`, or begins there behind a sign; "" if there is none.
absl::string_view ForeignWordAt(absl::string_view text, size_t at) {
  for (const absl::string_view word : kForeignWords) {
    if (at < text.size() && text.substr(at, word.size()) == word) return word;
  }
  return "";
}

// nlohmann's text without its name and the position that is said in our own words.
absl::string_view Shortened(absl::string_view message) {
  for (const absl::string_view mark : {"syntax error while ", ": "}) {
    const size_t at = message.find(mark);
    if (at != message.npos) return message.substr(mark == ": " ? at + 2 : at);
  }
  return message;
}

// Builds the value from nlohmann's events, and refuses what its own parser accepts.
template <typename AnyJson>
class Builder {
 public:
  Builder(absl::string_view text, const JsonLimits& limits) : text_(text), limits_(limits) {}

  bool null() { return Put(AnyJson()); }
  bool boolean(bool value) { return Put(value); }
  bool number_integer(int64_t value) { return Put(value); }
  bool number_unsigned(uint64_t value) { return Put(value); }
  bool number_float(double value, const std::string&) { return Put(value); }
  bool string(std::string& value) { return Put(std::move(value)); }
  bool binary(typename AnyJson::binary_t&) { return Refuse("holds binary data"); }
  bool start_object(size_t) { return Open(AnyJson::object()); }
  bool start_array(size_t) { return Open(AnyJson::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(std::string& key) {
    auto& object = open_.back().value->template get_ref<typename AnyJson::object_t&>();
    if (!open_.back().keys.Insert(key, object)) {
      return Refuse(absl::StrCat("key \"", LineOf(key, 100), "\" is doubled"));
    }
    open_.back().key = LineOf(key, 100);
    slot_ = &AddMember(object, key);
    return true;
  }
  // `byte` is that of the last character which was read, counted from 1.
  bool parse_error(size_t byte, const std::string&, const nlohmann::json::exception& error) {
    const std::string place = Where();
    // "nan" is taken for the beginning of null, so it is noticed at its second letter.
    for (const size_t back : {1, 2}) {
      const absl::string_view word = byte >= back ? ForeignWordAt(text_, byte - back) : "";
      if (!word.empty())
        return Refuse(
            absl::StrCat(place, place.empty() ? "" : ": ", word, " is no JSON", Advice(word)));
    }
    return Refuse(absl::StrCat("not valid JSON at byte ", byte,
                               place.empty() ? "" : absl::StrCat(" (at ", place, ")"), ": ",
                               LineOf(Shortened(error.what()), 300)));
  }

  const std::string& problem() const { return problem_; }
  AnyJson Take() { return std::move(root_); }

 private:
  struct Level {
    AnyJson* value;
    Keys keys;
    std::string key;  // of an object, the one whose value is read or was read last
  };

  // "choices[3]", the way to what was being read, entries counted from 0; "" at the top.
  std::string Where() const {
    std::string path;
    for (const Level& level : open_) {
      if (level.value->is_array()) {
        // The container that is open inside stands in the list already.
        const size_t inside = &level == &open_.back() ? 0 : 1;
        absl::StrAppend(&path, "[", level.value->size() - inside, "]");
      } else if (!level.key.empty()) {
        absl::StrAppend(&path, path.empty() ? "" : ".", level.key);
      }
    }
    return LineOf(path, 200);
  }
  static absl::string_view Advice(absl::string_view word) {
    if (word == "True" || word == "False") return "; write true or false";
    return "; a value is missing there: write it, or leave the key out";
  }

  bool Refuse(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  // Where the next value goes, or null.
  AnyJson* Place() {
    if (++values_ > limits_.values) {
      Refuse(absl::StrCat("more than ", limits_.values, " values"));
      return nullptr;
    }
    if (open_.empty()) return &root_;
    AnyJson& parent = *open_.back().value;
    if (parent.is_object()) return slot_;
    auto& array = parent.template get_ref<typename AnyJson::array_t&>();
    return &array.emplace_back();
  }
  template <typename Value>
  bool Put(Value&& value) {
    AnyJson* place = Place();
    if (place == nullptr) return false;
    *place = AnyJson(std::forward<Value>(value));
    return true;
  }
  bool Open(AnyJson container) {
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      return Refuse(absl::StrCat("nested deeper than ", limits_.depth));
    }
    AnyJson* place = Place();
    if (place == nullptr) return false;
    *place = std::move(container);
    open_.push_back({place, {}, {}});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  const absl::string_view text_;
  const JsonLimits limits_;
  AnyJson root_;
  std::vector<Level> open_;
  AnyJson* slot_ = nullptr;  // of the key just read
  size_t values_ = 0;
  std::string problem_;
};

template <typename AnyJson>
absl::StatusOr<AnyJson> Parse(absl::string_view text, absl::string_view what,
                              const JsonLimits& limits) {
  // nlohmann's lexer takes a NUL byte for the end of the text.
  if (const size_t nul = text.find('\0'); nul != text.npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": not valid JSON: a NUL byte at byte ", nul + 1));
  }
  Builder<AnyJson> builder(text, limits);
  if (!AnyJson::sax_parse(text.begin(), text.end(), &builder)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", builder.problem()));
  }
  return builder.Take();
}

// Quotes bare NaN, Infinity and -Infinity outside strings, and replaces lone surrogates in them.
std::string Repaired(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + 8);
  bool in_string = false;
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (in_string && c == '\\') {
      const int unit = EscapedUnit(text, i);
      const bool pair = IsHighSurrogate(unit) && IsLowSurrogate(EscapedUnit(text, i + 6));
      const bool lone = !pair && (IsHighSurrogate(unit) || IsLowSurrogate(unit));
      const size_t length = pair ? 12 : lone ? 6 : 2;
      absl::StrAppend(&out, lone ? kLoneSurrogate : text.substr(i, length));
      i += std::min(length, text.size() - i);
      continue;
    }
    if (c == '"') in_string = !in_string;
    absl::string_view token;
    if (!in_string && (c == 'N' || c == 'I' || c == '-')) {
      for (absl::string_view candidate : {"NaN", "Infinity", "-Infinity"}) {
        if (text.substr(i, candidate.size()) == candidate) token = candidate;
      }
    }
    if (token.empty()) {
      out += c;
      ++i;
    } else {
      absl::StrAppend(&out, "\"", token, "\"");
      i += token.size();
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text, absl::string_view what,
                               const JsonLimits& limits) {
  return Parse<Json>(text, what, limits);
}

absl::StatusOr<SortedJson> ParseSortedJson(absl::string_view text, absl::string_view what,
                                           const JsonLimits& limits) {
  return Parse<SortedJson>(text, what, limits);
}

absl::StatusOr<Json> ParseReportJson(absl::string_view line, absl::string_view what,
                                     const JsonLimits& limits) {
  std::string valid;
  if (FirstInvalidUtf8(line) != line.npos) {
    valid = ReplaceInvalidUtf8(line);
    line = valid;
  }
  absl::StatusOr<Json> json = Parse<Json>(line, what, limits);
  if (json.ok()) return json;
  const std::string repaired = Repaired(line);
  return absl::string_view(repaired) == line ? json : Parse<Json>(repaired, what, limits);
}

std::string DumpJson(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string DumpJson(const SortedJson& json, int indent) {
  return json.dump(indent, ' ', false, SortedJson::error_handler_t::replace);
}

Json CleanTexts(const Json& json) {
  if (json.is_string()) return TextOf(json.get_ref<const std::string&>(), std::string::npos);
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& element : json) out.push_back(CleanTexts(element));
    return out;
  }
  if (!json.is_object()) return json;
  Json out = Json::object();
  std::set<std::string> seen;
  for (const auto& [key, value] : json.get_ref<const Json::object_t&>()) {
    std::string clean = LineOf(key, std::string::npos);
    if (!seen.insert(clean).second) continue;  // two keys that cleaning made one
    AddMember(out.get_ref<Json::object_t&>(), clean) = CleanTexts(value);
  }
  return out;
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
