#include "trainer/protocol/job_keys.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::trainer {

using experiment_file::IntegerRule;
using experiment_file::NamesRule;
using experiment_file::NumberRule;
using experiment_file::PathRule;
using experiment_file::TextRule;
using experiment_file::Words;

bool JobKeys::IsNone(const Key& key) const {
  const Json& value = fields_.Raw(key.name);
  return value.is_null() || (key.none && value == Json("none"));
}

bool JobKeys::Find(const Key& key, const char* expected) {
  if (!IsNone(key)) return true;
  if (key.missing != nullptr) {
    fields_.Problem(key.name, absl::StrCat("missing; expected ", expected));
  }
  return false;
}

void JobKeys::Field(const Key& key, double& value, const NumberRule& rule) {
  if (Find(key, rule.expected)) value = fields_.Number(key.name, value, rule);
}

void JobKeys::Field(const Key& key, std::optional<double>& value, const NumberRule& rule) {
  if (Find(key, rule.expected)) value = fields_.Number(key.name, 0, rule);
}

void JobKeys::Field(const Key& key, int64_t& value, const IntegerRule& rule) {
  if (key.at_most != nullptr) value = std::min(value, *key.at_most);
  if (Find(key, "a whole number")) value = fields_.Integer(key.name, value, rule);
}

template <typename V, typename Rule>
void JobKeys::ReadByPattern(const Key& key, ByPattern<V>& values, const Rule& rule) {
  if (!Find(key, "a section")) return;
  JobKeys inside(fields_.Object(key.name));
  values.clear();
  const Json& section = fields_.Raw(key.name);
  if (!section.is_object()) return;
  for (const auto& [pattern, value] : section.items()) {
    values.emplace_back(pattern, V{});
    inside.Field(Key{pattern.c_str(), "", "", "a value"}, values.back().second, rule);
  }
}

void JobKeys::Field(const Key& key, ByPattern<int64_t>& values, const IntegerRule& rule) {
  ReadByPattern(key, values, rule);
}

void JobKeys::Field(const Key& key, ByPattern<double>& values, const NumberRule& rule) {
  ReadByPattern(key, values, rule);
}

void JobKeys::Field(const Key& key, bool& value) {
  if (!fields_.Has(key.name)) {
    value = key.before.value_or(value);
  } else if (IsNone(key)) {
    value = false;
  } else {
    value = fields_.Boolean(key.name, value);
  }
}

void JobKeys::Field(const Key& key, std::string& value, const TextRule& rule) {
  if (!Find(key, "a text")) return;
  value = fields_.Text(key.name, value);
  if (!fields_.Raw(key.name).is_string()) return;
  const std::string wrong = value.empty() ? "expected a text" : rule.wrong(value);
  if (!wrong.empty()) fields_.Problem(key.name, wrong);
}

void JobKeys::Field(const Key& key, std::string& value, const PathRule&) {
  Field(key, value, TextRule{"path", experiment_file::WrongPath});
}

void JobKeys::Field(const Key& key, std::string& value, const Words& words) {
  if (Find(key, "a word")) value = fields_.Word(key.name, value, words.allowed);
}

void JobKeys::Field(const Key& key, std::vector<std::string>& values, const Words& words) {
  if (words.all != nullptr && fields_.Raw(key.name) == Json(words.all)) {
    values = words.allowed;
    return;
  }
  if (!TakeList(key, "a list of words", values)) return;
  if (values.empty()) fields_.Problem(key.name, "names nothing");
  for (const std::string& word : values) {
    if (std::find(words.allowed.begin(), words.allowed.end(), word) != words.allowed.end())
      continue;
    fields_.Problem(key.name, absl::StrCat("\"", word, "\" is not one of ",
                                           absl::StrJoin(words.allowed, ", ")));
  }
}

void JobKeys::Field(const Key& key, std::vector<std::string>& values, const NamesRule& rule) {
  if (!TakeList(key, rule.expected, values)) return;
  const bool nameless = std::count(values.begin(), values.end(), "") > 0;
  if (nameless || (values.empty() && !rule.may_be_empty)) {
    fields_.Problem(key.name, absl::StrCat("expected ", rule.expected));
  }
}

bool JobKeys::TakeList(const Key& key, const char* expected, std::vector<std::string>& values) {
  if (!Find(key, expected)) return false;
  std::optional<std::vector<std::string>> texts = fields_.Texts(key.name);
  if (!texts) return false;
  values = *std::move(texts);
  std::set<std::string> seen;
  for (const std::string& value : values) {
    if (seen.insert(value).second) continue;
    fields_.Problem(key.name, absl::StrCat(value, " is listed twice"));
  }
  return true;
}

}  // namespace scm::trainer
