#include "scmctl/render/log_filter.h"

#include <gtest/gtest.h>

#include "common/rng.h"
#include "common/utf8.h"

namespace scm::ctl {
namespace {

std::string Shown(absl::string_view bytes, bool colour) {
  LogFilter filter(colour);
  const std::string text = filter.Feed(bytes);
  return text + filter.Finish();
}

TEST(LogFilter, TextColoursAndProgressBarsPassNothingElse) {
  struct Case {
    std::string bytes, with_colour, without;
  };
  const Case cases[] = {
      {"step 1\n\tloss 0.5\n", "step 1\n\tloss 0.5\n", "step 1\n\tloss 0.5\n"},
      {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m", "red"},
      {"\x1b[38:5:1mx", "\x1b[38:5:1mx", "x"},
      {"\x1b[2J\x1b[1;1Hgone", "gone", "gone"},
      {"\x1b[?1049hx\x1b[6n", "x", "x"},
      {"\x1b[>4;2mx", "x", "x"},  // no colour: it sets how keys are sent
      {"\x1b]0;title\x07text", "text", "text"},
      {"\x1b]52;c;ZWNobw==\x1b\\text", "text", "text"},
      {"\x1b]0;never ended\ntext", "\ntext", "\ntext"},
      {"\x1bPq\x1b[31mq\x1b\\x", "x", "x"},
      {"\x1b(0x\x1b"
       "cy\x1b=z",
       "xyz", "xyz"},
      {"10%\r20%\r", "10%\r20%\r", "10%\r20%\r"},
      {"bell\x07 back\x08 del\x7f", "bell back del", "bell back del"},
      {"a\xc2\x9b"
       "31mb",
       "a\uFFFD31mb", "a\uFFFD31mb"},
      {"caf\xe9 \xe2\x82", "caf\uFFFD \uFFFD", "caf\uFFFD \uFFFD"},
      {"Añadió 3 €", "Añadió 3 €", "Añadió 3 €"},
      {"\x1b[" + std::string(200, '1') + "x", std::string(135, '1') + "x",
       std::string(135, '1') + "x"},
      {"end\x1b[3", "end", "end"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(Shown(c.bytes, true), c.with_colour) << c.bytes;
    EXPECT_EQ(Shown(c.bytes, false), c.without) << c.bytes;
  }
}

// Wherever the pieces are cut the same is shown, and it steers nothing.
TEST(LogFilter, CutsChangeNothing) {
  constexpr uint64_t kSeed = 20261129;
  Philox rng(kSeed, "log filter");
  const std::string alphabet = "\x1b\x1b[]m;0139AHJ\x07\\\n\r\x9b\xc2\xe2\x82\xac x";
  for (int round = 0; round < 2000; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += alphabet[rng.Below(alphabet.size())];
    const std::string whole = Shown(bytes, true);
    LogFilter filter(true);
    std::string pieces;
    for (size_t at = 0; at < bytes.size();) {
      const size_t n = 1 + rng.Below(5);
      pieces += filter.Feed(absl::string_view(bytes).substr(at, n));
      at += n;
    }
    pieces += filter.Finish();
    ASSERT_EQ(pieces, whole) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(FirstInvalidUtf8(whole), std::string::npos);
    for (size_t at = whole.find('\x1b'); at != std::string::npos; at = whole.find('\x1b', at + 1)) {
      ASSERT_EQ(whole[at + 1], '[');
      ASSERT_EQ(whole[whole.find_first_not_of("0123456789;:", at + 2)], 'm');
    }
  }
}

}  // namespace
}  // namespace scm::ctl
