#include "report/input_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace scm::report {
namespace {

using ::testing::ElementsAre;

TEST(InputRows, SayWhatWasComparedAndWhatWasNot) {
  const Json digests = {
      {"corpus", "c0"},
      {"model", "a1"},
      {"inputs",
       {{{"key", "data.corpus"}, {"path", "/c"}, {"sha256", "c0"}, {"files", Json::array()}},
        {{"key", "model.base"}, {"path", "/m"}, {"sha256", "a1"}},
        {{"key", "evaluation.baselines[0].predictions"}, {"path", "/p"}, {"sha256", "d2"}}}}};
  const Json compared = {{{"key", "data.corpus"}, {"path", "/c"}, {"sha256", "c0"}},
                         {{"key", "model.base"}, {"path", "/m"}, {"sha256", "a1"}}};
  EXPECT_THAT(
      InputRows(digests, compared),
      ElementsAre(ElementsAre("corpus SHA-256", "c0 at submission, and when it was evaluated"),
                  ElementsAre("model SHA-256", "a1 at submission, and when it was evaluated"),
                  ElementsAre("evaluation.baselines[0].predictions SHA-256", "d2 at submission")));
  // Of an earlier version, or without an evaluation.
  EXPECT_THAT(InputRows(Json{{"corpus", "c0"}}, Json()),
              ElementsAre(ElementsAre("corpus SHA-256", "c0 at submission")));
  EXPECT_TRUE(InputRows(Json(), Json()).empty());
}

}  // namespace
}  // namespace scm::report
