#include "common/text.h"

#include <gtest/gtest.h>

#include "common/utf8.h"

namespace scm {
namespace {

TEST(TextOf, KeepsTextAndReplacesWhatIsNone) {
  struct Case {
    std::string bytes, text;
  };
  const Case cases[] = {
      {"", ""},
      {"Añadió 3 €", "Añadió 3 €"},
      {"two\nlines\tand a tab", "two\nlines\tand a tab"},
      {"caf\xe9", "caf\uFFFD"},
      {"\x1b[2Jred\x07", "\uFFFD[2Jred\uFFFD"},
      {std::string("a\0b", 3), "a\uFFFDb"},
      {"\xc2\x9b"
       "31m",
       "\uFFFD31m"},
      {"abc\u202Etxt", "abc\uFFFDtxt"},
  };
  for (const Case& c : cases) EXPECT_EQ(TextOf(c.bytes), c.text);
}

TEST(TextOf, CutsBetweenCharactersWithinTheLimit) {
  const std::string spanish(300, '\xf1');
  for (const std::string& bytes : {std::string("xñññññññññññññ"), spanish, std::string(100, 'a')}) {
    for (size_t limit = 0; limit < 30; ++limit) {
      const std::string text = TextOf(bytes, limit);
      EXPECT_LE(text.size(), limit);
      EXPECT_EQ(FirstInvalidUtf8(text), std::string::npos) << limit;
      const std::string whole = TextOf(bytes);
      if (whole.size() <= limit) {
        EXPECT_EQ(text, whole);
      } else if (limit >= 3) {
        EXPECT_TRUE(text.size() >= 3 && text.substr(text.size() - 3) == "…") << text;
      }
    }
  }
  EXPECT_EQ(TextOf("exactly", 7), "exactly");
}

TEST(LineOf, IsOneLine) { EXPECT_EQ(LineOf("a\nb\tc"), "a b c"); }

}  // namespace
}  // namespace scm
