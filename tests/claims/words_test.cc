#include "claims/words.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace scm::claims {
namespace {

std::string Show(const Word& word) {
  static const char* const kUnits[] = {"", "%", "pt", "x", "ms", "B", "$"};
  if (word.kind == Word::Kind::kNumber) {
    return absl::StrCat("<", word.value, kUnits[static_cast<int>(word.unit)], ">");
  }
  return word.text;
}

TEST(SplitWords, ReadsNumbersWithTheirUnits) {
  struct {
    const char *sentence, *words;
  } const kCases[] = {
      {"Accuracy is 64.0 %.", "accuracy is <64%> ."},
      {"La exactitud es del 72,3 %", "la exactitud es del <72.3%>"},
      {"0,723 and .64 and 1,040 items", "<0.723> and <0.64> and <1040> items"},
      {"gains 16.9 percentage points", "gains <16.9pt>"},
      {"gana 16,9 puntos porcentuales", "gana <16.9pt>"},
      {"78 percent, 78 per cent, 78 por ciento", "<78%> , <78%> , <78%>"},
      {"in 0.15 s or 150 ms", "in <150ms> or <150ms>"},
      {"538 MB, 1.5 GB", "<5.38e+08B> , <1.5e+09B>"},
      {"$57 or 57 USD", "<57$> or <57$>"},
      {"2.5× faster, twice as fast", "<2.5x> faster , <2x> as fast"},
      {"Llama-3.2-1B and GPT-3.5's 7B", "llama-3.2-1b and gpt-3.5's 7b"},
      {"a 135M model", "a 135m model"},
      {"(10.1–23.7)", "( <10.1> - <23.7> )"},
      {"(−2.5 to +3.1)", "( <-2.5> to <3.1> )"},
      {"all five seeds", "all <5> seeds"},
      {"p < .001", "p < <0.001>"},
      {"Jurídico, ÁRBOL", "juridico , arbol"},
  };
  for (const auto& one : kCases) {
    const std::string words =
        absl::StrJoin(SplitWords(one.sentence), " ",
                      [](std::string* out, const Word& word) { absl::StrAppend(out, Show(word)); });
    EXPECT_EQ(words, one.words) << one.sentence;
  }
}

TEST(SplitWords, KnowsHowExactlyANumberIsWritten) {
  EXPECT_DOUBLE_EQ(SplitWords("64 %")[0].half_step, 0.5);
  EXPECT_DOUBLE_EQ(SplitWords("64.0 %")[0].half_step, 0.05);
  EXPECT_DOUBLE_EQ(SplitWords("0.15 s")[0].half_step, 5);
}

}  // namespace
}  // namespace scm::claims
