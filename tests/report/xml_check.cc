#include "tests/report/xml_check.h"

#include <cctype>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scm::report {
namespace {

class Checker {
 public:
  explicit Checker(const std::string& text) : text_(text) {}

  std::string Run() {
    while (at_ < text_.size() && error_.empty()) {
      if (text_[at_] == '<') {
        Tag();
      } else {
        Character('\0');
      }
    }
    if (error_.empty() && !open_.empty()) Fail(absl::StrCat("<", open_.back(), "> is not closed"));
    return error_;
  }

 private:
  void Fail(const std::string& what) {
    if (error_.empty()) {
      error_ =
          absl::StrCat(what, " at byte ", at_, ": ", text_.substr(at_ < 40 ? 0 : at_ - 40, 80));
    }
    at_ = text_.size();
  }

  // One character of text or of an attribute's value.
  void Character(char quote) {
    const char c = text_[at_];
    if (c == '<' || (c == '>' && quote == '\0')) return Fail("a bare bracket");
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
      return Fail("a control character");
    }
    if (c == '&') {
      const size_t end = text_.find(';', at_);
      const std::string name = end == std::string::npos ? "" : text_.substr(at_ + 1, end - at_ - 1);
      const std::set<std::string> known = {"amp", "lt", "gt", "quot", "#39"};
      if (!known.count(name)) return Fail("a bare &");
      at_ = end;
    }
    ++at_;
  }

  std::string Name() {
    const size_t from = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                  text_[at_] == '-' || text_[at_] == ':')) {
      ++at_;
    }
    return text_.substr(from, at_ - from);
  }

  void Spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  void Attributes() {
    std::set<std::string> names;
    for (Spaces(); at_ < text_.size() && text_[at_] != '>' && text_[at_] != '/'; Spaces()) {
      const std::string name = Name();
      if (name.empty() || !names.insert(name).second) return Fail("a bad or doubled attribute");
      if (text_.compare(at_, 2, "=\"") != 0) return Fail("an attribute without a quoted value");
      at_ += 2;
      while (at_ < text_.size() && text_[at_] != '"') Character('"');
      ++at_;
    }
  }

  void Tag() {
    if (absl::StartsWith(text_.substr(at_, 9), "<!doctype")) {
      at_ = text_.find('>', at_) + 1;
      return;
    }
    ++at_;
    const bool closing = at_ < text_.size() && text_[at_] == '/';
    if (closing) ++at_;
    const std::string name = Name();
    if (name.empty()) return Fail("a tag without a name");
    if (closing) {
      if (open_.empty() || open_.back() != name) return Fail(absl::StrCat("</", name, ">"));
      open_.pop_back();
    } else {
      Attributes();
    }
    const bool empty = at_ < text_.size() && text_[at_] == '/';
    if (empty) ++at_;
    if (at_ >= text_.size() || text_[at_] != '>') return Fail("a tag that does not end");
    ++at_;
    if (!closing && !empty) open_.push_back(name);
    if (!closing && name == "style") at_ = text_.find("</style>", at_);
  }

  const std::string& text_;
  size_t at_ = 0;
  std::vector<std::string> open_;
  std::string error_;
};

}  // namespace

std::string XmlError(const std::string& text) { return Checker(text).Run(); }

}  // namespace scm::report
