#include "experiment/key_list.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "experiment/describe.h"

namespace scm::experiment_file {
namespace {

std::string InCode(const std::string& text) { return absl::StrCat("`", text, "`"); }

std::string ListOf(const Words& words) {
  return absl::StrCat("`", absl::StrJoin(words.allowed, "`, `"), "`");
}

std::string ListInCode(const std::vector<std::string>& values) {
  return absl::StrCat("`[", absl::StrJoin(values, ", "), "]`");
}

// "a whole number from 1 on" of seconds: "seconds from 1 on".
std::string TypeOf(absl::string_view expected, const char* unit) {
  absl::ConsumePrefix(&expected, "a ");
  if (unit[0] == '\0') return std::string(expected);
  absl::ConsumePrefix(&expected, "whole ");
  absl::ConsumePrefix(&expected, "number");
  return absl::StrCat(unit, expected);
}
std::string TypeOf(const Key& key, const NumberRule& rule) {
  return TypeOf(rule.expected, key.unit);
}
std::string TypeOf(const Key& key, const IntegerRule& rule) {
  return TypeOf(Expected(rule), key.unit);
}

// The visitor. Values are those of a default-constructed spec.
class KeyLister {
 public:
  KeyLister(std::string section, std::string prefix, std::vector<KeyRow>& rows)
      : section_(std::move(section)), prefix_(std::move(prefix)), rows_(rows) {}

  void Field(const Key& key, double value, const NumberRule& rule) {
    Add(key, TypeOf(key, rule), absl::StrCat(value), ParameterType::kNumber);
  }
  void Field(const Key& key, const std::optional<double>&, const NumberRule& rule) {
    Add(key, TypeOf(key, rule), "none");
  }
  void Field(const Key& key, const std::map<std::string, double>&, const NumberRule& rule) {
    Add(key, absl::StrCat("section of ", TypeOf(key, rule)), "none");
  }
  void Field(const Key& key, int64_t value, const IntegerRule& rule) {
    Add(key, TypeOf(key, rule), absl::StrCat(value), ParameterType::kInteger);
  }
  template <typename V, typename Rule>
  void Field(const Key& key, const ByPattern<V>&, const Rule& rule) {
    Add(key, absl::StrCat("section of ", TypeOf(key, rule)), "`{}`");
  }
  void Field(const Key& key, const std::vector<int64_t>&, const IntegersRule& rule) {
    const bool bounded = rule.most != IntegersRule{rule.each}.most;
    const Key plural = Key(key).Unit(key.unit[0] == '\0' ? "whole numbers" : key.unit);
    Add(key,
        absl::StrCat("list of ", TypeOf(plural, rule.each),
                     bounded ? absl::StrCat(", at most ", rule.most) : ""),
        "`[]`");
  }
  void Field(const Key& key, bool value) { Add(key, "boolean", value ? "true" : "false"); }
  void Field(const Key& key, const std::optional<bool>& value, const AutoRule&) {
    Add(key, "true, false, auto", !value ? "`auto`" : *value ? "true" : "false");
  }
  void Field(const Key& key, const std::string& value, const TextRule& rule) {
    Add(key, rule.type, InCode(value));
  }
  void Field(const Key& key, const std::string&, const PathRule&) { Add(key, "path", "none"); }
  void Field(const Key& key, const std::string& value, const Words& words) {
    Add(key, ListOf(words), InCode(value), ParameterType::kWord);
  }
  void Field(const Key& key, const std::vector<std::string>& values, const Words& words) {
    const std::string all = words.all == nullptr ? "" : absl::StrCat("; or `", words.all, "`");
    Add(key, absl::StrCat("list of ", ListOf(words), all), ListInCode(values),
        ParameterType::kList);
  }
  void Field(const Key& key, const std::vector<std::string>& values, const NamesRule&) {
    Add(key, "list of names", ListInCode(values));
  }
  void Field(const Key& key, const std::vector<std::string>& values, const CommandRule&) {
    Add(key, "list of words", ListInCode(values));
  }
  void Field(const Key& key, const Json&, const AnySection&) { Add(key, "section", "`{}`"); }
  void Field(const Key& key, const Json&, const Anything&) { Add(key, "anything", "none"); }
  void Field(const Key& key, const Json&, const RecordedRule&) { Add(key, "section", "none"); }
  void Field(const Key& key, const SearchSpace&, const SpaceRule&) { Add(key, "section", "none"); }

  template <typename S, typename... Around>
  void Section(const Key& key, S& section, const Around&... around) {
    AddSection(key, key.none ? "none" : "");
    KeyLister inside = Inside(key);
    Describe(inside, section, around...);
  }
  template <typename S, typename... Around>
  void Section(const Key& key, std::optional<S>& section, const Around&... around) {
    AddSection(key, section ? "on" : "none");
    KeyLister inside = Inside(key);
    S defaults = section.value_or(S{});
    Describe(inside, defaults, around...);
  }
  template <typename S>
  void Sections(const Key& key, const std::vector<S>&) {
    Add(key, "list of sections", "`[]`");
    KeyLister inside(section_, absl::StrCat(prefix_, key.name, "[]."), rows_);
    S defaults;
    Describe(inside, defaults);
  }
  void Planned(const char*) {}

 private:
  void Add(const Key& key, const std::string& type, const std::string& initial,
           ParameterType swept = ParameterType::kAny) {
    KeyRow row{section_, absl::StrCat(prefix_, key.name), type, initial, key.meaning, {}};
    if (key.none)
      absl::StrAppend(&row.type, absl::StrContains(type, ' ') ? ", or none" : " or none");
    if (key.at_most != nullptr) {
      absl::StrAppend(&row.initial, ", or `", key.at_most_name, "` if that is less");
    }
    if (key.initial != nullptr) row.initial = key.initial;
    if (key.missing != nullptr) row.initial = "required";
    if (key.swept) row.swept = swept;
    row.shared = key.shared;
    rows_.push_back(std::move(row));
  }
  // A section of the file itself is a chapter and no row.
  void AddSection(const Key& key, const std::string& initial) {
    if (!section_.empty()) Add(key, "section", initial);
  }
  KeyLister Inside(const Key& key) const {
    if (section_.empty()) return KeyLister(key.name, "", rows_);
    return KeyLister(section_, absl::StrCat(prefix_, key.name, "."), rows_);
  }

  const std::string section_, prefix_;
  std::vector<KeyRow>& rows_;
};

}  // namespace

const std::vector<KeyRow>& AllKeys() {
  static const auto* const all = [] {
    auto* rows = new std::vector<KeyRow>;
    KeyLister file("", "", *rows);
    ExperimentSpec spec;
    Describe(file, spec);
    KeyLister parameters("trainer.parameters", "", *rows);
    TrainerParameters built_in;
    Describe(parameters, built_in);
    return rows;
  }();
  return *all;
}

}  // namespace scm::experiment_file
