#include "trainer/protocol/job_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::trainer {
namespace {

using experiment_file::IntegerRule;
using experiment_file::NumberRule;

constexpr double kMaxExact = 9007199254740992.0;  // 2^53

// As experiment files read it: 12, and 12.0 where that is exact.
std::optional<int64_t> WholeNumber(const Json& value) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (std::trunc(number) != number || std::fabs(number) > kMaxExact) return std::nullopt;
  return static_cast<int64_t>(number);
}

}  // namespace

void FieldProblems::Add(const std::string& key, const std::string& message) {
  problems_.push_back(absl::StrCat(key, ": ", message));
}

absl::Status FieldProblems::ToStatus(const std::string& what) const {
  if (problems_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", absl::StrJoin(problems_, "\n")));
}

Fields::Fields(const Json& object, std::string path, FieldProblems* problems)
    : object_(&object), path_(std::move(path)), problems_(problems) {
  if (!object.is_object() && !object.is_null()) {
    problems_->Add(path_.empty() ? "the document" : path_, "expected an object");
    static const Json* const kNothing = new Json();
    object_ = kNothing;
  }
}

std::string Fields::Path(const std::string& key) const {
  return path_.empty() ? key : absl::StrCat(path_, ".", key);
}

void Fields::Problem(const std::string& key, const std::string& message) const {
  problems_->Add(Path(key), message);
}

const Json& Fields::Raw(const std::string& key) const { return MemberAt(*object_, key); }

bool Fields::Says(const std::string& key) const {
  return object_->is_object() && object_->contains(key);
}

bool Fields::Has(const std::string& key) const { return !Raw(key).is_null(); }

Fields Fields::Object(const std::string& key) const {
  return Fields(Raw(key), Path(key), problems_);
}

std::vector<Fields> Fields::Objects(const std::string& key) const {
  const Json& list = Raw(key);
  std::vector<Fields> objects;
  if (!list.is_null() && !list.is_array()) Problem(key, "expected a list");
  for (size_t i = 0; list.is_array() && i < list.size(); ++i) {
    objects.emplace_back(list[i], absl::StrCat(Path(key), "[", i, "]"), problems_);
  }
  return objects;
}

std::string Fields::RequiredText(const std::string& key) const {
  if (!Has(key)) {
    Problem(key, "missing; expected a text");
    return "";
  }
  return Text(key, "");
}

std::string Fields::Text(const std::string& key, const std::string& otherwise) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  if (value.is_string()) return value.get<std::string>();
  Problem(key, absl::StrCat("expected a text, found ", DumpJson(value)));
  return otherwise;
}

std::string Fields::Word(const std::string& key, const std::string& otherwise,
                         const std::vector<std::string>& allowed) const {
  const std::string word = Text(key, otherwise);
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return word;
  Problem(key, absl::StrCat("\"", word, "\" is not one of ", absl::StrJoin(allowed, ", ")));
  return otherwise;
}

int64_t Fields::RequiredInteger(const std::string& key, int64_t low) const {
  if (!Has(key)) Problem(key, "missing; expected a whole number");
  return Integer(key, low, low);
}

int64_t Fields::Integer(const std::string& key, int64_t otherwise, int64_t low) const {
  return Integer(key, otherwise, IntegerRule{low, std::numeric_limits<int64_t>::max()});
}

int64_t Fields::Integer(const std::string& key, int64_t otherwise, const IntegerRule& rule) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  const std::optional<int64_t> integer = WholeNumber(value);
  if (!integer) {
    Problem(key, absl::StrCat("expected a whole number, found ", DumpJson(value)));
  } else if (rule.Holds(*integer)) {
    return *integer;
  } else if (rule.open() && *integer < rule.low) {
    Problem(key, absl::StrCat("expected at least ", rule.low, ", found ", *integer));
  } else {
    Problem(key, absl::StrCat("expected ", rule.low, " to ", rule.high, ", found ", *integer));
  }
  return otherwise;
}

double Fields::Number(const std::string& key, double otherwise, const NumberRule& rule) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  const double number = value.is_number() ? value.get<double>() : NAN;
  if (std::isfinite(number) && rule.holds(number)) return number;
  Problem(key, absl::StrCat("expected ", rule.expected, ", found ", DumpJson(value)));
  return otherwise;
}

bool Fields::Boolean(const std::string& key, bool otherwise) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  if (value.is_boolean()) return value.get<bool>();
  Problem(key, absl::StrCat("expected true or false, found ", DumpJson(value)));
  return otherwise;
}

std::optional<std::vector<std::string>> Fields::Texts(const std::string& key) const {
  const Json& value = Raw(key);
  if (value.is_null()) return std::nullopt;
  std::vector<std::string> texts;
  bool good = value.is_array();
  for (size_t i = 0; good && i < value.size(); ++i) {
    good = value[i].is_string();
    if (good) texts.push_back(value[i].get<std::string>());
  }
  if (good) return texts;
  Problem(key, absl::StrCat("expected a list of texts, found ", DumpJson(value)));
  return std::nullopt;
}

}  // namespace scm::trainer
