#include "trainer/protocol/job_fields.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::trainer {

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

bool Fields::Has(const std::string& key) const { return !Raw(key).is_null(); }

Fields Fields::Object(const std::string& key) const {
  return Fields(Raw(key), Path(key), problems_);
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

std::optional<int64_t> Fields::ReadInteger(const std::string& key, int64_t low,
                                           int64_t high) const {
  const Json& value = Raw(key);
  const std::optional<double> number =
      value.is_number() ? NumberFromJson(value) : std::optional<double>();
  const bool whole =
      number.has_value() && *number == std::floor(*number) && std::abs(*number) < 9.0e18;
  if (!whole) {
    Problem(key, absl::StrCat("expected a whole number, found ", DumpJson(value)));
    return std::nullopt;
  }
  const int64_t integer =
      value.is_number_integer() ? value.get<int64_t>() : static_cast<int64_t>(*number);
  if (integer < low || integer > high) {
    Problem(key, high == std::numeric_limits<int64_t>::max()
                     ? absl::StrCat("expected at least ", low, ", found ", integer)
                     : absl::StrCat("expected ", low, " to ", high, ", found ", integer));
    return std::nullopt;
  }
  return integer;
}

int64_t Fields::RequiredInteger(const std::string& key, int64_t low, int64_t high) const {
  if (!Has(key)) {
    Problem(key, "missing; expected a whole number");
    return low;
  }
  return ReadInteger(key, low, high).value_or(low);
}

int64_t Fields::Integer(const std::string& key, int64_t otherwise, int64_t low,
                        int64_t high) const {
  if (!Has(key)) return otherwise;
  return ReadInteger(key, low, high).value_or(otherwise);
}

double Fields::Number(const std::string& key, double otherwise, double low, double high) const {
  if (!Has(key)) return otherwise;
  const Json& value = Raw(key);
  if (!value.is_number()) {
    Problem(key, absl::StrCat("expected a number, found ", DumpJson(value)));
    return otherwise;
  }
  const double number = value.get<double>();
  if (!std::isfinite(number) || number < low || number > high) {
    Problem(key, absl::StrCat("expected a number from ", low, " to ", high, ", found ", number));
    return otherwise;
  }
  return number;
}

bool Fields::Boolean(const std::string& key, bool otherwise) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  if (value.is_boolean()) return value.get<bool>();
  Problem(key, absl::StrCat("expected true or false, found ", DumpJson(value)));
  return otherwise;
}

std::vector<std::string> Fields::Texts(const std::string& key,
                                       const std::vector<std::string>& otherwise) const {
  const Json& value = Raw(key);
  if (value.is_null()) return otherwise;
  std::vector<std::string> texts;
  bool good = value.is_array();
  if (good) {
    for (const Json& one : value) {
      good = good && one.is_string();
      if (one.is_string()) texts.push_back(one.get<std::string>());
    }
  }
  if (good) return texts;
  Problem(key, absl::StrCat("expected a list of texts, found ", DumpJson(value)));
  return otherwise;
}

}  // namespace scm::trainer
