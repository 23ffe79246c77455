// Files that are broken or meant to do harm: one clear error each, with the line where there is
// one, and no more work than the bytes deserve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/rng.h"
#include "experiment/tree.h"
#include "tests/experiment/helpers.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string Repeated(const std::string& piece, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

// What json.dumps of Python writes for characters beyond U+FFFF.
TEST(SurrogatePairs, OfJsonAreTheCharactersTheyStandFor) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"name": "\ud83d\ude00"})", "\U0001F600"},
      {R"({"name": "a\uD835\uDC00\ud83d\ude00z"})", "a\U0001D400\U0001F600z"},
      {R"({"name": "\\ud83d \ud83d\ude00"})", "\\ud83d \U0001F600"},
      {"name: \"\\ud83d\\ude00\"\n", "\U0001F600"},
      {"name: '\\ud83d\\ude00'\n", "\\ud83d\\ude00"},
  };
  for (const auto& [text, name] : cases) {
    const experiment_file::Tree tree = experiment_file::ParseTree(text);
    ASSERT_FALSE(tree.error) << text << ": " << tree.error->message;
    EXPECT_EQ(tree.root->entries.at(0).value->text, name) << text;
  }
  for (const char* lone : {R"({"name": "\ud83d"})", R"({"name": "\ude00\ud83d"})"}) {
    const experiment_file::Tree tree = experiment_file::ParseTree(lone);
    ASSERT_TRUE(tree.error) << lone;
    EXPECT_THAT(tree.error->message, HasSubstr("invalid unicode"));
  }
}

struct Broken {
  std::string text;
  const char* error;  // its beginning
};

TEST(Broken, FilesGetOneErrorWithItsLine) {
  const Broken cases[] = {
      {"", "f: the file is empty"},
      {"  \n# nothing here\n", "f: the file is empty"},
      {"a: b: c\n", "f:1: this is not valid YAML: illegal map value"},
      {"name: t\ndata: [1, 2\nlora: 3\n", "f:3: this is not valid YAML"},
      {"name: t\ntraining:\n\tmax_steps: 5\n", "f:3: this is not valid YAML"},
      {"name: t\nmodel: {base: m\n", "f:3: this is not valid YAML"},
      {"name: \"t\nmodel: x\n", "f:1: a quote that is never closed"},
      {"name: 't\nmodel: x''\n", "f:1: a quote that is never closed"},
      {"name: t\n--- \nname: u\n", "f:2: the experiment ends above this line"},
      {"- a\nb: c\n", "f:2: the experiment ends above this line"},
      {"just words\n", "f:1: expected a section"},
      {"[1, 2]\n", "f:1: expected a section"},
      {"null\n", "f:1: expected a section"},
      {"name: t\n? [a]\n: b\n", "f:2: a key must be a word"},
      {"name: t\nx: *nothing\n", "f:2: this is not valid YAML"},
      {"name: t\nx: &a [*a]\n", "f:2: an alias (*) that stands inside what it names"},
      {"x: &a {b: 1}\ny:\n  <<: *a\n", "f:3: merge keys (<<) are not supported"},
      {"name: !!python/object t\n", "f:1: tags (!word) are not supported"},
      {"name: t\nlora: !x {r: 8}\n", "f:2: tags (!word) are not supported"},
      {"name: t\n\xff\n", "f:2: byte 0xff at offset 8 is no UTF-8 text"},
      {"name: \xc0\xaf\n", "f:1: byte 0xc0 at offset 6"},
      {"name: \xed\xa0\x80\n", "f:1: byte 0xed at offset 6"},
      {"name: \xf5\x80\x80\x80\n", "f:1: byte 0xf5"},
      {"name: \xe2\x82", "f:1: byte 0xe2"},
      {std::string("n\0a\0m\0e\0", 8), "f:1: byte 0x00 at offset 1"},
      {"name: \"a\\0b\"\n", "f:1: text that holds a NUL character"},
      {Repeated("k", 201) + ": 5\n", "f:1: a key of 201 bytes"},
      {Repeated("[", 100) + Repeated("]", 100), "f:1: nested deeper than 48 levels"},
      {Repeated("# x\n", (1 << 20) + 1), "f: the file has 1048580 bytes"},
      {"x: [" + Repeated("1,", 60000) + "]", "f:1: more than 20000 values"},
  };
  for (const Broken& c : cases) {
    EXPECT_THAT(Errors(c.text), ElementsAre(StartsWith(c.error))) << c.text.substr(0, 60);
    EXPECT_FALSE(Parse(c.text).spec.has_value());
  }
}

TEST(Aliases, DoNotMultiply) {
  // Ten levels of ten would be 10^10 values.
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 10; ++i) {
    const std::string below = absl::StrCat("*a", i - 1);
    absl::StrAppend(&text, "a", i, ": &a", i, " [", below);
    for (int k = 1; k < 10; ++k) absl::StrAppend(&text, ", ", below);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_THAT(Errors(text), ElementsAre(HasSubstr("more than 20000 values (aliases counted")));
}

TEST(Aliases, DoNotNestBeyondTheLimit) {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i <= 60; ++i) absl::StrAppend(&text, "a", i, ": &a", i, " [*a", i - 1, "]\n");
  EXPECT_THAT(Errors(text), ElementsAre(HasSubstr("nested deeper than 48 levels")));
}

TEST(Harmless, OddFilesAreRead) {
  const std::string valid = kValid;
  EXPECT_THAT(Errors("\xEF\xBB\xBF" + valid), IsEmpty()) << "byte order mark";
  std::string windows;
  for (char c : valid) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  EXPECT_THAT(Errors(windows), IsEmpty()) << "Windows line ends";
  EXPECT_THAT(Errors("---\n" + valid + "...\n"), IsEmpty()) << "document markers";
  EXPECT_THAT(Errors(valid + "\n\n# comment: ñ ✓\n"), IsEmpty());
  EXPECT_THAT(
      Errors("{name: t, model: {base: m.gguf}, data: {corpus: c}, replicate: {seeds: [1]}}"),
      IsEmpty());
  EXPECT_THAT(Errors("name: \"t\"\nmodel: {base: 'it''s.gguf'}\ndata: {corpus: \"a\\\"b\"}\n"
                     "replicate: {seeds: [1]}\n"),
              IsEmpty());
}

TEST(LineNumbers, HoldBehindAByteOrderMarkAndNonAsciiText) {
  const std::string text =
      "\xEF\xBB\xBF# ñandú\r\n" + std::string(kValid) + "sweep:\nlora: {rr: 1}\n";
  EXPECT_THAT(Errors(text), ElementsAre("f:6: sweep: has no value. Give it one, or remove the key",
                                        "f:7: lora.rr: unknown key. Did you mean r?"));
}

TEST(LineNumbers, OfAnEmptyValueBeforeNullAreItsOwn) {
  EXPECT_THAT(
      Errors(absl::StrCat(kValid, "budget:\nnull_: 3\n")),
      ElementsAre(StartsWith("f:5: budget: has no value"), StartsWith("f:6: null_: unknown key")));
}

// Random changes to a real file: whatever comes out is either a spec or errors, never both or
// neither, and what is accepted survives the canonical round trip.
TEST(Mutations, GiveASpecOrErrors) {
  const std::string seed_text =
      absl::StrCat(kValid, "sweep: {search: grid, space: {lora.r: {choice: [8, 16]}}}\n",
                   "budget: {limit: 5, cpu_hour: 0.1}\nabort: {no_convergence: none}\n",
                   "evaluation: {tasks: [a], baselines: [{name: b, predictions: p.jsonl}]}\n");
  const std::string pieces = "{}[]:,&*!|>'\"#-\n \t0a~%@`?\\\xc3\xb1";
  constexpr uint64_t kSeed = 20260101;
  Philox rng(kSeed, "mutations");
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed_text;
    const uint64_t changes = 1 + rng.Below(2);
    for (uint64_t i = 0; i < changes; ++i) {
      const size_t at = rng.Below(text.size());
      const char piece = pieces[rng.Below(pieces.size())];
      switch (rng.Below(3)) {
        case 0:
          text[at] = piece;
          break;
        case 1:
          text.insert(at, 1, piece);
          break;
        default:
          text.erase(at, 1 + rng.Below(3));
      }
    }
    const ParsedExperiment parsed = Parse(text);
    ASSERT_EQ(parsed.spec.has_value(), parsed.errors.empty()) << "seed " << kSeed << "\n" << text;
    const int lines = 1 + std::count(text.begin(), text.end(), '\n');
    for (const Diagnostic& error : parsed.errors) {
      ASSERT_FALSE(error.message.empty());
      ASSERT_GE(error.line, 0);
      ASSERT_LE(error.line, lines + 1) << "seed " << kSeed << "\n" << text;
    }
    if (!parsed.spec) continue;
    ++accepted;
    const Json json = SpecToJson(*parsed.spec);
    const ParsedExperiment again = Parse(json.dump());
    ASSERT_TRUE(again.spec.has_value()) << Lines(again.errors)[0] << "\n" << text;
    ASSERT_EQ(SpecToJson(*again.spec), json) << text;
  }
  EXPECT_GT(accepted, 50) << "the changes are too destructive to test acceptance";
}

}  // namespace
}  // namespace scm
