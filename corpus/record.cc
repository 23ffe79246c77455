#include "corpus/record.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "common/suggest.h"

namespace scm::corpus {
namespace {

constexpr absl::string_view kNoString = "is not a string; expected a text in quotation marks";

bool IsBlank(const std::string& text) { return absl::StripAsciiWhitespace(text).empty(); }

bool IsIdentifier(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == ':' ||
           c == '-';
  });
}

std::string Shortened(const std::string& text) {
  constexpr size_t kShown = 40;
  if (text.size() <= kShown) return text;
  size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(text.substr(0, end), "…");
}

// What is wrong with one turn of a conversation, or "". Anything but a text would be rendered by
// rules of its own.
std::string ProblemOfTurn(const Json& turn, bool first) {
  if (!turn.is_object()) return R"(is no object; expected {"role": …, "content": …})";
  for (const auto& [key, value] : turn.items()) {
    if (key != "role" && key != "content" && !value.is_null()) {
      return absl::StrCat("has \"", Shortened(key), "\"; expected role and content alone");
    }
  }
  const std::string role = StringAt(turn, "role");
  if (role != "system" && role != "user" && role != "assistant") {
    return absl::StrCat("has the role \"", Shortened(role),
                        "\"; expected system, user or assistant");
  }
  if (role == "system" && !first) return "is of the system; expected that first or not at all";
  const Json& content = MemberAt(turn, "content");
  if (!content.is_string()) return "has no content that is a text";
  if (IsBlank(content.get_ref<const std::string&>())) return "says nothing; expected a text";
  return "";
}

}  // namespace

bool IsDay(absl::string_view day) {
  if (day.size() != 10 || day[4] != '-' || day[7] != '-') return false;
  int parts[3];
  const absl::string_view texts[] = {day.substr(0, 4), day.substr(5, 2), day.substr(8, 2)};
  for (int i = 0; i < 3; ++i) {
    for (const char c : texts[i]) {
      if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
    }
    if (!absl::SimpleAtoi(texts[i], &parts[i])) return false;
  }
  const absl::CivilDay civil(parts[0], parts[1], parts[2]);  // normalises 02-30 to 03-02
  return civil.year() == parts[0] && civil.month() == parts[1] && civil.day() == parts[2];
}

CorpusRecord::CorpusRecord(const Json& object, ProblemSink error, ProblemSink warning)
    : object_(object), error_(std::move(error)), warning_(std::move(warning)) {}

const Json* CorpusRecord::Find(const std::string& key) {
  asked_.insert(key);
  const Json& member = MemberAt(object_, key);
  return member.is_null() ? nullptr : &member;
}

std::optional<std::string> CorpusRecord::Text(const std::string& key) {
  const Json* member = Find(key);
  if (member == nullptr) {
    error_(key, "missing; expected a text");
    return std::nullopt;
  }
  if (!member->is_string()) {
    error_(key, kNoString);
    return std::nullopt;
  }
  std::string text = member->get<std::string>();
  if (IsBlank(text)) {
    error_(key, "is empty; expected a text");
    return std::nullopt;
  }
  return text;
}

std::string CorpusRecord::OptionalText(const std::string& key) {
  const Json* member = Find(key);
  if (member == nullptr) return "";
  if (!member->is_string()) {
    error_(key, kNoString);
    return "";
  }
  return member->get<std::string>();
}

std::optional<std::string> CorpusRecord::Identifier(const std::string& key) {
  std::optional<std::string> text = Text(key);
  if (text && !IsIdentifier(*text)) {
    error_(key, absl::StrCat("\"", Shortened(*text), "\" has a character that no id may have; ",
                             "expected letters, digits and . _ : -"));
    return std::nullopt;
  }
  return text;
}

std::string CorpusRecord::OptionalDay(const std::string& key) {
  std::string text = OptionalText(key);
  if (!text.empty() && !IsDay(text)) {
    error_(key, absl::StrCat("\"", Shortened(text), "\" is no day; expected YYYY-MM-DD"));
    return "";
  }
  return text;
}

bool CorpusRecord::OptionalBool(const std::string& key) {
  const Json* member = Find(key);
  if (member == nullptr) return false;
  if (!member->is_boolean()) error_(key, "expected true or false");
  return member->is_boolean() && member->get<bool>();
}

std::optional<std::vector<std::string>> CorpusRecord::Texts(const std::string& key,
                                                            size_t smallest) {
  const Json* member = Find(key);
  if (member == nullptr || !member->is_array() || member->size() < smallest) {
    const size_t found = member != nullptr && member->is_array() ? member->size() : 0;
    error_(key, member == nullptr ? std::string("missing; expected a list of texts")
                : !member->is_array()
                    ? std::string("is no list; expected a list of texts")
                    : absl::StrCat("has ", found, "; expected at least ", smallest));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  std::set<std::string> seen;
  for (const Json& element : *member) {
    const std::string where = absl::StrCat("entry ", texts.size() + 1, " ");
    if (!element.is_string() || IsBlank(element.get_ref<const std::string&>())) {
      error_(key, absl::StrCat(where, "is no text; expected a text that is not empty"));
      return std::nullopt;
    }
    texts.push_back(element.get<std::string>());
    if (!seen.insert(texts.back()).second) {
      error_(key, absl::StrCat(where, "repeats \"", Shortened(texts.back()),
                               "\"; expected each once, so that the gold answer is one"));
      return std::nullopt;
    }
  }
  return texts;
}

std::optional<std::vector<int64_t>> CorpusRecord::Indices(const std::string& key, int64_t bound,
                                                          bool* list) {
  const Json* member = Find(key);
  *list = member != nullptr && member->is_array();
  const std::string expected =
      absl::StrCat("expected an index from 0 to ", bound - 1, ", or a list of them");
  if (member == nullptr || (*list && member->empty())) {
    error_(key, absl::StrCat(member == nullptr ? "missing; " : "is empty; ", expected));
    return std::nullopt;
  }
  std::vector<int64_t> indices;
  const std::vector<Json> elements =
      *list ? member->get<std::vector<Json>>() : std::vector<Json>{*member};
  for (const Json& element : elements) {
    const bool fits = element.is_number_unsigned()
                          ? element.get<uint64_t>() < static_cast<uint64_t>(bound)
                          : element.is_number_integer() && element.get<int64_t>() >= 0 &&
                                element.get<int64_t>() < bound;
    if (!fits) {
      error_(key, absl::StrCat(Shortened(DumpJson(element)), " is no index into ", bound,
                               " choices; ", expected));
      return std::nullopt;
    }
    indices.push_back(element.get<int64_t>());
  }
  std::sort(indices.begin(), indices.end());
  if (std::adjacent_find(indices.begin(), indices.end()) != indices.end()) {
    error_(key, "names an index twice; expected each once");
    return std::nullopt;
  }
  return indices;
}

std::optional<std::vector<Message>> CorpusRecord::Messages(const std::string& key) {
  const Json* member = Find(key);
  if (member == nullptr || !member->is_array() || member->empty()) {
    error_(key, R"(expected a list of {"role": …, "content": …})");
    return std::nullopt;
  }
  std::vector<Message> messages;
  for (const Json& turn : *member) {
    const std::string problem = ProblemOfTurn(turn, messages.empty());
    if (!problem.empty()) {
      error_(key, absl::StrCat("entry ", messages.size() + 1, " ", problem));
      return std::nullopt;
    }
    messages.push_back({StringAt(turn, "role"), StringAt(turn, "content")});
  }
  if (messages.back().role != "assistant") {
    error_(key, absl::StrCat("ends with a turn of the ", messages.back().role,
                             "; expected the assistant's, from which the model learns"));
    return std::nullopt;
  }
  return messages;
}

void CorpusRecord::WarnOfUnknownKeys() {
  const std::vector<std::string> known(asked_.begin(), asked_.end());
  for (const auto& [key, value] : object_.items()) {
    if (asked_.count(key) > 0) continue;
    const std::string near = Suggest(key, known);
    warning_(key, near.empty() ? std::string("unknown key, ignored")
                               : absl::StrCat("unknown key, ignored. Did you mean ", near, "?"));
  }
}

}  // namespace scm::corpus
