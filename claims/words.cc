#include "claims/words.h"

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"

namespace scm::claims {
namespace {

bool IsDigit(char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }
// Letters beyond ASCII count as such; signs that matter are replaced before.
bool IsLetter(char c) {
  return absl::ascii_isalpha(static_cast<unsigned char>(c)) ||
         (static_cast<unsigned char>(c) > 127);
}

struct Spelled {
  const char* word;
  double value;
  Unit unit;
};
constexpr Spelled kSpelled[] = {
    {"two", 2, Unit::kNone},       {"three", 3, Unit::kNone},    {"four", 4, Unit::kNone},
    {"five", 5, Unit::kNone},      {"six", 6, Unit::kNone},      {"seven", 7, Unit::kNone},
    {"eight", 8, Unit::kNone},     {"nine", 9, Unit::kNone},     {"ten", 10, Unit::kNone},
    {"zero", 0, Unit::kNone},      {"dos", 2, Unit::kNone},      {"tres", 3, Unit::kNone},
    {"cuatro", 4, Unit::kNone},    {"cinco", 5, Unit::kNone},    {"seis", 6, Unit::kNone},
    {"siete", 7, Unit::kNone},     {"ocho", 8, Unit::kNone},     {"nueve", 9, Unit::kNone},
    {"diez", 10, Unit::kNone},     {"cero", 0, Unit::kNone},     {"twice", 2, Unit::kTimes},
    {"double", 2, Unit::kTimes},   {"doubles", 2, Unit::kTimes}, {"triple", 3, Unit::kTimes},
    {"thrice", 3, Unit::kTimes},   {"doble", 2, Unit::kTimes},   {"duplica", 2, Unit::kTimes},
    {"triplica", 3, Unit::kTimes}, {"half", 50, Unit::kPercent}, {"mitad", 50, Unit::kPercent}};

struct UnitWord {
  const char* word;
  Unit unit;
  double factor;
};
constexpr UnitWord kUnits[] = {{"%", Unit::kPercent, 1},
                               {"percent", Unit::kPercent, 1},
                               {"points", Unit::kPoints, 1},
                               {"point", Unit::kPoints, 1},
                               {"pp", Unit::kPoints, 1},
                               {"puntos", Unit::kPoints, 1},
                               {"punto", Unit::kPoints, 1},
                               {"times", Unit::kTimes, 1},
                               {"x", Unit::kTimes, 1},
                               {"×", Unit::kTimes, 1},
                               {"veces", Unit::kTimes, 1},
                               {"fold", Unit::kTimes, 1},
                               {"ms", Unit::kMilliseconds, 1},
                               {"milliseconds", Unit::kMilliseconds, 1},
                               {"milisegundos", Unit::kMilliseconds, 1},
                               {"s", Unit::kMilliseconds, 1e3},
                               {"seconds", Unit::kMilliseconds, 1e3},
                               {"segundos", Unit::kMilliseconds, 1e3},
                               {"kb", Unit::kBytes, 1e3},
                               {"mb", Unit::kBytes, 1e6},
                               {"gb", Unit::kBytes, 1e9},
                               {"megabytes", Unit::kBytes, 1e6},
                               {"gigabytes", Unit::kBytes, 1e9},
                               {"usd", Unit::kMoney, 1},
                               {"dollars", Unit::kMoney, 1},
                               {"dolares", Unit::kMoney, 1},
                               {"eur", Unit::kMoney, 1},
                               {"euros", Unit::kMoney, 1},
                               {"€", Unit::kMoney, 1},
                               {"$", Unit::kMoney, 1}};

// Reads words off a folded sentence.
class Splitter {
 public:
  explicit Splitter(std::string text) : text_(std::move(text)) {}

  std::vector<Word> Split() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t') {
        ++at_;
      } else if (StartsNumber()) {
        Number();
      } else if (IsLetter(c)) {
        Name();
      } else {
        words_.push_back({Word::Kind::kSign, std::string(1, c)});
        ++at_;
      }
    }
    return std::move(words_);
  }

 private:
  char Next(size_t by) const { return at_ + by < text_.size() ? text_[at_ + by] : ' '; }
  bool StartsNumber() const {
    if (IsDigit(text_[at_])) return true;
    return text_[at_] == '.' && IsDigit(Next(1)) && (at_ == 0 || !IsDigit(text_[at_ - 1]));
  }

  // A sign in front of a number that no other number or word touches.
  int TakeSign() {
    if (words_.empty() || words_.back().kind != Word::Kind::kSign) return 0;
    const std::string& mark = words_.back().text;
    if ((mark != "+" && mark != "-") || at_ == 0 || text_[at_ - 1] == ' ') return 0;
    if (at_ > 1 && text_[at_ - 2] != ' ' && text_[at_ - 2] != '(' && text_[at_ - 2] != '[')
      return 0;
    const int sign = mark == "+" ? 1 : -1;
    words_.pop_back();
    return sign;
  }

  // "1,040" has a thousand; "72,3" and "0,723" have decimals.
  static bool CommaIsDecimal(absl::string_view before, absl::string_view after) {
    return after.size() != 3 || before == "0" || before.empty() || before.size() > 3;
  }

  std::string Digits() {
    const size_t begin = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  void Number() {
    Word word;
    word.kind = Word::Kind::kNumber;
    word.sign = TakeSign();
    const size_t begin = at_;
    std::string whole = Digits(), decimals;
    while ((text_.substr(at_, 1) == "," || text_.substr(at_, 1) == ".") && IsDigit(Next(1))) {
      const bool comma = text_[at_] == ',';
      const size_t back = at_++;
      const std::string more = Digits();
      const bool decimal = comma ? CommaIsDecimal(whole, more) : true;
      if (!decimal) {
        whole += more;
        continue;
      }
      // "2.3.1" is no number: what follows stays for itself.
      if (!decimals.empty()) {
        at_ = back;
        break;
      }
      decimals = more;
    }
    word.text = text_.substr(begin, at_ - begin);
    // "1B", "135M", "4x512" and "7th" are names.
    if (at_ < text_.size() && IsLetter(text_[at_]) && !UnitAt(at_, nullptr, nullptr)) {
      const std::string name = word.text;
      Name();
      words_.back().text = name + words_.back().text;
      return;
    }
    word.value = std::strtod(("0" + whole + "." + decimals + "0").c_str(), nullptr);
    word.half_step = 0.5 * std::pow(10.0, -static_cast<double>(decimals.size()));
    TakeUnit(&word);
    if (word.sign < 0) word.value = -word.value;
    words_.push_back(std::move(word));
  }

  // The unit that begins at `at`; *end is behind it.
  bool UnitAt(size_t at, const UnitWord** unit, size_t* end) const {
    for (const UnitWord& one : kUnits) {
      const absl::string_view word = one.word;
      if (text_.compare(at, word.size(), word.data(), word.size()) != 0) continue;
      const size_t behind = at + word.size();
      if (behind < text_.size() && IsLetter(word.back()) && word.back() > 0 &&
          (IsLetter(text_[behind]) || IsDigit(text_[behind]))) {
        continue;
      }
      if (unit != nullptr) *unit = &one;
      if (end != nullptr) *end = behind;
      return true;
    }
    return false;
  }

  void TakeUnit(Word* word) {
    // "$57" has its unit in front.
    if (!words_.empty() && (words_.back().text == "$" || words_.back().text == "€")) {
      words_.pop_back();
      word->unit = Unit::kMoney;
    }
    size_t at = at_;
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '-')) ++at;
    if (text_.compare(at, 11, "percentage ") == 0) at += 11;  // points
    for (const absl::string_view percent : {"per cent", "por ciento"}) {
      if (text_.compare(at, percent.size(), percent.data(), percent.size()) != 0) continue;
      word->unit = Unit::kPercent;
      at_ = at + percent.size();
      return;
    }
    const UnitWord* unit = nullptr;
    size_t end = 0;
    if (!UnitAt(at, &unit, &end)) return;
    word->unit = unit->unit;
    word->value *= unit->factor;
    word->half_step *= unit->factor;
    at_ = end;
    for (const char* rest : {" porcentuales", " porcentual"}) {
      if (text_.compare(at_, std::string(rest).size(), rest) == 0) {
        at_ += std::string(rest).size();
        break;
      }
    }
  }

  void Name() {
    const size_t begin = at_;
    while (at_ < text_.size() && (IsLetter(text_[at_]) || IsDigit(text_[at_]) ||
                                  ((absl::StrContains("-_.'/", text_.substr(at_, 1))) &&
                                   (IsLetter(Next(1)) || IsDigit(Next(1)))))) {
      ++at_;
    }
    Word word;
    word.text = text_.substr(begin, at_ - begin);
    for (const Spelled& one : kSpelled) {
      if (word.text != one.word) continue;
      word.kind = Word::Kind::kNumber;
      word.value = one.value;
      word.unit = one.unit;
      word.half_step = 0.5;
      word.spelled = true;
      if (word.unit == Unit::kNone) TakeUnit(&word);
      break;
    }
    words_.push_back(std::move(word));
  }

  std::string text_;
  size_t at_ = 0;
  std::vector<Word> words_;
};

}  // namespace

std::string Folded(absl::string_view text) {
  return absl::AsciiStrToLower(absl::StrReplaceAll(
      text,
      {{"á", "a"},     {"é", "e"},    {"í", "i"},      {"ó", "o"},      {"ú", "u"},
       {"ü", "u"},     {"ñ", "n"},    {"Á", "a"},      {"É", "e"},      {"Í", "i"},
       {"Ó", "o"},     {"Ú", "u"},    {"Ü", "u"},      {"Ñ", "n"},      {"−", "-"},
       {"–", " - "},   {"—", " ; "},  {"\u00a0", " "}, {"\u202f", " "}, {"\u2009", " "},
       {"’", "'"},     {"‘", "'"},    {"“", "\""},     {"”", "\""},     {"«", "\""},
       {"»", "\""},    {"≥", " >= "}, {"≤", " <= "},   {"±", " +/- "},  {"≈", " approximately "},
       {"…", " ... "}, {"¿", "?"},    {"¡", "!"}}));
}

std::vector<Word> SplitWords(absl::string_view sentence) {
  return Splitter(Folded(sentence)).Split();
}

}  // namespace scm::claims
