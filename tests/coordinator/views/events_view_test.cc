#include <gmock/gmock.h>

#include "absl/strings/str_replace.h"
#include "coordinator/views/views.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;

// Subjects of the events that the answer for `id` holds.
std::vector<std::string> Subjects(const state::Snapshot& snapshot, const std::string& id,
                                  const std::vector<store::EventRow>& rows) {
  std::vector<std::string> subjects;
  const Json view = answers::ToJson(views::EventsView(rows, views::EventsAbout(snapshot, id)));
  for (const Json& event : MemberAt(view, "events")) subjects.push_back(StringAt(event, "subject"));
  return subjects;
}

TEST(EventsView, ARunsEventsAreItsOwnUnderEveryNameOfIt) {
  Harness h;
  const ExperimentId e = h.Submit(TestFile("replicate"));
  const auto snapshot = h.snapshot();
  const Task& task = *snapshot->tasks->begin()->second;
  const std::string run = task.run.str(), other = std::next(snapshot->runs->begin())->first.str();
  std::vector<store::EventRow> rows;
  for (const std::string& subject :
       {e.str(), run, task.id.str(), run + "/100", run + "0", other, std::string("w-1")}) {
    rows.push_back({static_cast<int64_t>(rows.size()), "", "", subject, "kind", "text", "{}"});
  }
  EXPECT_THAT(Subjects(*snapshot, run, rows), ElementsAre(run, task.id.str(), run + "/100"));
  EXPECT_THAT(Subjects(*snapshot, task.id.str(), rows),
              ElementsAre(run, task.id.str(), run + "/100"));
  EXPECT_THAT(Subjects(*snapshot, "w-1", rows), ElementsAre("w-1"));
  EXPECT_EQ(Subjects(*snapshot, e.str(), rows).size(), rows.size());
  EXPECT_EQ(Subjects(*snapshot, "", rows).size(), rows.size());
  EXPECT_EQ(views::EventsAbout(*snapshot, run).experiment, e.str());
}

// A task that carries several runs is told of with all of them, each of them without the others.
TEST(EventsView, ThePacksTaskHasTheEventsOfItsRuns) {
  Harness h;
  h.Submit(
      absl::StrReplaceAll(TestFile("replicate"), {{"replicate: {", "replicate: {packed: true, "}}));
  const auto snapshot = h.snapshot();
  ASSERT_EQ(snapshot->tasks->size(), 1u);
  ASSERT_GE(snapshot->runs->size(), 2u);
  const std::string task = snapshot->tasks->begin()->first.str();
  const std::string first = snapshot->runs->begin()->first.str(),
                    second = std::next(snapshot->runs->begin())->first.str();
  std::vector<store::EventRow> rows;
  for (const std::string& subject : {task, first, second + "/100", std::string("w-1")}) {
    rows.push_back({static_cast<int64_t>(rows.size()), "", "", subject, "kind", "text", "{}"});
  }
  EXPECT_THAT(Subjects(*snapshot, task, rows), ElementsAre(task, first, second + "/100"));
  EXPECT_THAT(Subjects(*snapshot, first, rows), ElementsAre(task, first));
}

}  // namespace
}  // namespace scm::controller
