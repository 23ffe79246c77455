#include "common/utf8.h"

#include "gtest/gtest.h"

namespace scm {
namespace {

struct Case {
  const char* name;
  absl::string_view text;
  size_t invalid;
  absl::string_view replaced;
};

TEST(Utf8, FindsAndReplacesWhatIsIllFormed) {
  const size_t none = absl::string_view::npos;
  using namespace std::string_literals;
  const std::string zero = "a\0b"s;
  const Case cases[] = {
      {"empty", "", none, ""},
      {"ascii", "plain text, longer than eight bytes", none, "plain text, longer than eight bytes"},
      {"zero byte", zero, none, zero},
      {"two to four bytes", "é€😀", none, "é€😀"},
      {"largest", "\xf4\x8f\xbf\xbf", none, "\xf4\x8f\xbf\xbf"},
      {"above the largest", "\xf4\x90\x80\x80", 0, "����"},
      {"overlong slash", "\xc0\xaf", 0, "��"},
      {"overlong in three", "\xe0\x80\xaf", 0, "���"},
      {"overlong in four", "\xf0\x80\x80\xaf", 0, "����"},
      {"surrogate", "x\xed\xa0\x80", 1, "x���"},
      {"lone continuation", "12345678\x80", 8, "12345678�"},
      {"cut-off three", "ab\xe2\x82", 2, "ab�"},
      {"cut-off four, then text", "\xf0\x9f\x98z", 0, "�z"},
      {"five-byte lead", "\xf8\x88\x80\x80\x80", 0, "�����"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(FirstInvalidUtf8(c.text), c.invalid);
    EXPECT_EQ(ReplaceInvalidUtf8(c.text), c.replaced);
  }
}

TEST(Utf8, CodePointsGoThereAndBack) {
  for (const char32_t c :
       {U'\0', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xffff', U'\x10000', U'\x10ffff'}) {
    std::string text;
    AppendCodePoint(c, text);
    size_t at = 0;
    EXPECT_EQ(NextCodePoint(text, at), c);
    EXPECT_EQ(at, text.size());
  }
}

}  // namespace
}  // namespace scm
