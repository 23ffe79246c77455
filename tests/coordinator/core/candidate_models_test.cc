#include "coordinator/core/candidate_models.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace scm::core {
namespace {

using ::testing::ElementsAre;

TEST(CandidateModels, TheBaseAndThenItsFallback) {
  ExperimentSpec spec;
  spec.model = ModelSpec{"/m", ""};
  EXPECT_THAT(CandidateModels(spec), ElementsAre("/m"));
  spec.model->fallback = "/l";
  EXPECT_THAT(CandidateModels(spec), ElementsAre("/m", "/l"));
  EXPECT_EQ(CandidateModel(spec, 0), "/m");
  EXPECT_EQ(CandidateModel(spec, 1), "/l");
}

TEST(CandidateModels, ATrainerOfOnesOwnHasOneWhateverItsSectionHolds) {
  ExperimentSpec spec;
  spec.opaque_model = {{"base", "/m"}, {"fallback", "/l"}};
  EXPECT_THAT(CandidateModels(spec), ElementsAre("/m"));
  spec.opaque_model = "anything";
  EXPECT_THAT(CandidateModels(spec), ElementsAre(""));
}

TEST(CandidateModels, AnIndexThatIsNotThereIsTheFirst) {
  ExperimentSpec spec;
  spec.model = ModelSpec{"/m", "/l"};
  for (const int64_t index : {-1, 2, 99}) EXPECT_EQ(CandidateModel(spec, index), "/m");
}

}  // namespace
}  // namespace scm::core
