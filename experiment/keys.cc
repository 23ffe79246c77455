#include "experiment/keys.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"

namespace scm::experiment_file {
namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kLongestMetricName = 64;  // longer ones are not kept by the coordinator
// Letters of the ids that commands take as well as names (common/ids.h).
constexpr absl::string_view kIdLetters = "ertkcwl";

// Safe in tables, labels and file names.
bool IsSimple(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
  });
}

bool LooksLikeId(const std::string& name) {
  int64_t number;
  return name.size() > 2 && name[1] == '-' && kIdLetters.find(name[0]) != kIdLetters.npos &&
         absl::SimpleAtoi(name.substr(2), &number);
}

// `name` with everything that a name may not hold replaced.
std::string Slug(const std::string& name) {
  std::string slug;
  for (unsigned char c : name.substr(0, kLongestName)) {
    const bool good = IsSimple(std::string(1, static_cast<char>(c)));
    if (good && !(slug.empty() && !absl::ascii_isalnum(c))) slug += static_cast<char>(c);
    if (!good && !slug.empty() && slug.back() != '-') slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

std::string WrongExperimentName(const std::string& name) {
  if (name.size() > kLongestName || !absl::ascii_isalnum(name[0]) || !IsSimple(name)) {
    const std::string slug = Slug(name);
    return absl::StrCat(
        "may hold letters, digits, '.', '_' and '-', begins with a letter or digit and has at "
        "most ",
        kLongestName, " of them", slug.empty() ? "" : absl::StrCat(". For example ", slug));
  }
  if (!LooksLikeId(name)) return "";
  return absl::StrCat(name, " looks like an id that scm gives. Choose another, for example x",
                      name);
}

std::string WrongBaselineName(const std::string& name) {
  if (name.size() <= kLongestName && IsSimple(name)) return "";
  return "use letters, digits, '.', '-' and '_' only, 64 at most";
}

std::string WrongMetricName(const std::string& name) {
  if (name.size() <= kLongestMetricName) return "";
  return absl::StrCat("a metric's name has at most ", kLongestMetricName,
                      " characters, this one has ", name.size());
}

std::string WrongCurrency(const std::string& text) {
  const bool good = text.size() == 3 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
                      return absl::ascii_isupper(c);
                    });
  return good ? "" : "expected three capital letters, like USD or EUR";
}

std::string WrongDate(const std::string& text) {
  absl::CivilDay day;
  // Formatting it again refuses what the parser is lenient about.
  if (absl::ParseCivilTime(text, &day) && absl::FormatCivilTime(day) == text && text.size() == 10) {
    return "";
  }
  return absl::StrCat("expected a date of the calendar like 2026-12-31, found ", text);
}

}  // namespace

const TextRule kAnyText = {"text", [](const std::string&) { return std::string(); }};
const TextRule kExperimentName = {"text", WrongExperimentName};
const TextRule kBaselineName = {"letters, digits, `.`, `-`, `_`", WrongBaselineName};
const TextRule kMetricName = {"text", WrongMetricName};
const TextRule kCurrency = {"three capital letters", WrongCurrency};
const TextRule kDate = {"date, `2026-12-31`", WrongDate};

std::string WrongPath(const std::string& path) {
  if (path[0] != '~') return "";
  return "~ is not expanded here; write the whole path, or one relative to this file";
}

bool IntegerRule::open() const { return high == kManySteps || high == kSeed.high; }

std::string Expected(const IntegerRule& rule) {
  if (rule.open()) return absl::StrCat("a whole number from ", rule.low, " on");
  return absl::StrCat("a whole number from ", rule.low, " to ", rule.high);
}

}  // namespace scm::experiment_file
