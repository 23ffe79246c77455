#include "common/task_kind.h"

#include <gtest/gtest.h>

namespace scm {
namespace {

// The words of docs/trainer-protocol.md.
TEST(TaskKind, HasTheWordOfTheProtocol) {
  const std::pair<TaskKind, const char*> words[] = {{TaskKind::kCheck, "check"},
                                                    {TaskKind::kTrain, "train"},
                                                    {TaskKind::kEvaluate, "evaluate"},
                                                    {TaskKind::kExport, "export"},
                                                    {TaskKind::kReport, "report"}};
  ASSERT_EQ(std::size(words), std::size(kAllTaskKinds));
  for (const auto& [kind, word] : words) {
    EXPECT_STREQ(TaskKindName(kind), word);
    EXPECT_EQ(TaskKindFromName(word), kind);
  }
  EXPECT_EQ(TaskKindFromName("dance"), std::nullopt);
  EXPECT_EQ(TaskKindFromName(""), std::nullopt);
}

}  // namespace
}  // namespace scm
