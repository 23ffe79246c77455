#include "common/suggest.h"

#include <gtest/gtest.h>

namespace scm {
namespace {

TEST(Suggest, FindsPlausibleSlipsOnly) {
  const std::vector<std::string> known = {"learning_rate", "batch_size", "max_steps", "r"};
  const std::pair<std::string, std::string> cases[] = {
      {"learning_rte", "learning_rate"},   // a letter left out
      {"learnign_rate", "learning_rate"},  // two swapped
      {"batchsize", "batch_size"},
      {"steps_max", ""},  // another word
      {"max_stepps", "max_steps"},
      {"x", ""},  // every letter would change
      {"", ""},
      {"completely_else", ""},
  };
  for (const auto& [word, expected] : cases) EXPECT_EQ(Suggest(word, known), expected) << word;
}

TEST(Suggest, AdjacentSwapsCountOne) {
  // "ab" swapped is nearer than "abxx", which needs two letters.
  EXPECT_EQ(Suggest("abcdfe", {"abcdef12", "abcdef"}), "abcdef");
}

TEST(Suggest, NothingIsNearAmongNothing) { EXPECT_EQ(Suggest("word", {}), ""); }

}  // namespace
}  // namespace scm
