// Stored rows that cannot be used: set aside and named; everything else goes on, and they stay.
#include <gmock/gmock.h>

#include <functional>

#include "common/text.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Restore : public testing::Test {
 protected:
  // Two experiments under way, each with a checkpoint and a validation.
  Restore() {
    worker_ = h_.AddWorker(8);
    for (const char* name : {"first", "second"}) {
      const std::string file = TestFile("replicate");
      ids_.push_back(h_.Submit(absl::StrCat("name: ", name, file.substr(file.find('\n')))));
    }
    for (const TaskId& task : h_.Tasks(StageKind::kReplicate)) {
      h_.Started(task);
      h_.Validation(task, 10, 0.5);
      EXPECT_TRUE(h_.Upload(task, 10).ok());
    }
  }
  std::string BodyOf(store::EntityTable table, const std::string& id) {
    const store::StoredState stored = h_.store.Load().value();
    for (const store::EntityRow& row : stored.entities) {
      if (row.table == table && row.id == id) return row.body;
    }
    return "";
  }
  void Damage(store::EntityTable table, const std::string& id, const std::string& experiment,
              const std::string& body) {
    store::WriteBatch batch;
    batch.upserts.push_back({table, id, experiment, body});
    ASSERT_TRUE(h_.store.Commit(batch).ok());
  }
  std::vector<std::string> Events(const std::string& kind) {
    std::vector<std::string> texts;
    const std::vector<store::EventRow> events = h_.store.ReadEvents("", 0, 100000).value();
    for (const store::EventRow& event : events) {
      if (event.kind == kind) texts.push_back(event.text);
    }
    return texts;
  }
  // The tasks of an experiment are taken up by the worker and end well.
  void GoesOn(const ExperimentId& id) {
    std::vector<LeaseRef> live;
    const auto snapshot = h_.snapshot();
    for (const auto& [key, task] : *snapshot->tasks) {
      if (task->experiment == id && task->attempt) live.push_back(Harness::Ref(*task));
    }
    ASSERT_FALSE(live.empty());
    h_.Return(worker_, live);
    for (const LeaseRef& lease : live) {
      h_.Progress(lease.task, 40);
      h_.Validation(lease.task, 40, 0.1);
      ASSERT_TRUE(h_.Upload(lease.task, 40).ok());
      h_.Finish(lease.task);
      EXPECT_EQ(h_.StateOf(lease.task), "SUCCEEDED");
    }
    EXPECT_EQ(h_.StateOf(id), "SUCCEEDED");
  }
  // Every answer that a user can ask for is given.
  void AnswersEverything() {
    const auto now = h_.snapshot();
    const state::Snapshot& snapshot = *now;
    views::ListView(snapshot);
    views::WorkersView(snapshot);
    views::InventoryView(snapshot);
    for (const auto& [id, experiment] : *snapshot.experiments) {
      EXPECT_TRUE(views::StatusView(snapshot, id.str()).ok());
      EXPECT_TRUE(views::WhyView(snapshot, id.str()).ok());
      EXPECT_TRUE(views::RunsView(snapshot, id.str()).ok());
      EXPECT_TRUE(views::CheckpointsView(snapshot, id.str()).ok());
      EXPECT_TRUE(views::ReportView(snapshot, id.str()).ok());
    }
  }

  Harness h_;
  WorkerId worker_;
  std::vector<ExperimentId> ids_;
};

TEST_F(Restore, NothingIsSetAsideOfWhatIsSound) {
  h_.Restart();
  EXPECT_THAT(h_.snapshot()->store_health->set_aside, IsEmpty());
  EXPECT_THAT(Events("row_set_aside"), IsEmpty());
  GoesOn(ids_[0]);
}

TEST_F(Restore, ARowOfAnExperimentCostsThatExperimentAlone) {
  struct Case {
    store::EntityTable table;
    std::string id;
    std::function<std::string(std::string)> change;
    std::string reason;
  };
  const auto replaced = [](const std::string& what, const std::string& by) {
    return [what, by](std::string body) {
      const size_t at = body.find(what);
      EXPECT_NE(at, std::string::npos) << what << " in " << body;
      return at == std::string::npos ? body : body.replace(at, what.size(), by);
    };
  };
  const auto as = [](const std::string& body) { return [body](std::string) { return body; }; };
  const Case cases[] = {
      {store::EntityTable::kExperiments, "e-1", as("no JSON \xf1"), "not valid JSON"},
      {store::EntityTable::kExperiments, "e-1", as(""), "not valid JSON"},
      {store::EntityTable::kExperiments, "e-1", as(std::string("{}\0", 3)), "a NUL byte"},
      {store::EntityTable::kExperiments, "e-1", replaced("\"RUNNING\"", "\"DANCING\""), "DANCING"},
      {store::EntityTable::kExperiments, "e-1", replaced("\"spec\":{", "\"spec\":{\"newer\":1,"),
       "newer"},
      {store::EntityTable::kRuns, "r-1", as("[]"), "its body is that of"},
      {store::EntityTable::kValidations, "r-1/0", replaced("[[10", "[[\"ten\""), "must be number"},
      {store::EntityTable::kValidations, "r-1/0", replaced("[[10,1,", "[["),
       "unreadable validation"},
      {store::EntityTable::kValidations, "r-1/0", as("no JSON"), "not valid JSON"},
      {store::EntityTable::kRuns, "r-1", replaced("\"task\":\"k-1\"", "\"task\":\"k-99\""),
       "its task k-99 is not there"},
      {store::EntityTable::kTasks, "k-1", replaced("\"state\":", "\"stale\":"), "is unknown"},
      {store::EntityTable::kTasks, "k-1", replaced("\"gpus\":[]", "\"gpus\":[\"x\"]"),
       "must be number"},
      {store::EntityTable::kTasks, "k-1", replaced("\"avoid\":[]", "\"avoid\":[7]"),
       "must be string"},
      {store::EntityTable::kTasks, "k-1", replaced("\"id\":\"k-1\"", "\"id\":\"k-2\""),
       "that of \"k-2\""},
  };
  int number = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(absl::StrCat(++number, ". ", c.reason));
    const std::string sound = BodyOf(c.table, c.id);
    const std::string damaged = c.change(sound);
    Damage(c.table, c.id, "e-1", damaged);
    h_.Restart();
    const auto health = h_.snapshot()->store_health;
    ASSERT_FALSE(health->set_aside.empty());
    EXPECT_EQ(health->set_aside[0].experiment, "e-1");
    EXPECT_THAT(health->set_aside[0].reason, HasSubstr(c.reason));
    EXPECT_EQ(h_.StateOf(ids_[0]), "FAILED");
    EXPECT_THAT(h_.At(ids_[0])->reason, HasSubstr("set aside: "));
    EXPECT_THAT(views::RunsView(*h_.snapshot(), "e-1").value().runs(), SizeIs(0));
    EXPECT_EQ(h_.StateOf(ids_[1]), "RUNNING");
    EXPECT_THAT(h_.snapshot()->open_tasks, testing::Pointee(SizeIs(3)));
    AnswersEverything();
    h_.Advance(absl::Seconds(2));
    EXPECT_EQ(BodyOf(c.table, c.id), damaged) << "it stays as it is";
    // Mended, it is as if nothing had been.
    Damage(c.table, c.id, "e-1", sound);
    h_.Restart();
    EXPECT_THAT(h_.snapshot()->store_health->set_aside, IsEmpty());
    EXPECT_EQ(h_.StateOf(ids_[0]), "RUNNING");
  }
  GoesOn(ids_[1]);
}

TEST_F(Restore, ItIsSaidOnceAndTheNameIsStillKnown) {
  const std::string body = BodyOf(store::EntityTable::kExperiments, "e-1");
  std::string damaged = body;
  damaged.replace(damaged.find("RUNNING"), 7, "DANCING");
  Damage(store::EntityTable::kExperiments, "e-1", "e-1", damaged);
  for (int i = 0; i < 3; ++i) h_.Restart();
  EXPECT_THAT(Events("row_set_aside"), SizeIs(1));
  EXPECT_EQ(h_.At(ids_[0])->name, "first");
  EXPECT_EQ(views::ResolveId(*h_.snapshot(), "first").value(), "e-1");
  EXPECT_FALSE(h_.Control(ControlVerb::kCancel, "e-1").ok());
  Damage(store::EntityTable::kExperiments, "e-1", "e-1", body);
  h_.Restart();
  Damage(store::EntityTable::kExperiments, "e-1", "e-1", damaged);
  h_.Restart();
  EXPECT_THAT(Events("row_set_aside"), SizeIs(2));
}

TEST_F(Restore, WhatEndedKeepsItsState) {
  h_.Restart();
  GoesOn(ids_[0]);
  Damage(store::EntityTable::kRuns, "r-1", "e-1", "x");
  h_.Restart();
  EXPECT_EQ(h_.StateOf(ids_[0]), "SUCCEEDED");
  EXPECT_THAT(h_.At(ids_[0])->reason, HasSubstr("set aside: runs r-1: "));
}

TEST_F(Restore, OtherRowsCostOnlyThemselves) {
  Damage(store::EntityTable::kWorkers, worker_.str(), "", "x");
  Damage(store::EntityTable::kCheckpoints, "r-1/10", "", "x");
  Damage(store::EntityTable::kArtifacts, "k-1/own", "e-1", R"({"id":"k-1/own","task":"k-77"})");
  Damage(store::EntityTable::kCertificates, "c-1", "e-1",
         "{\"id\":\"c-1\",\"experiment\":\"e-9\"}");
  h_.Restart();
  EXPECT_THAT(h_.snapshot()->store_health->set_aside, SizeIs(4));
  EXPECT_EQ(h_.StateOf(ids_[0]), "RUNNING");
  AnswersEverything();
  // The files of a checkpoint whose row is unreadable are not taken for an orphan's.
  EXPECT_TRUE(h_.blobs.Find("r-1/10").ok());
  EXPECT_TRUE(h_.blobs.Find("r-2/10").ok());
}

TEST_F(Restore, IdsAreNeverGivenTwiceWhereTheCountersAreLost) {
  for (const char* counters : {"x", "{}", R"({"e":"many","r":-7})"}) {
    Damage(store::EntityTable::kMeta, "counters", "", counters);
    Damage(store::EntityTable::kExperiments, "e-7", "e-7", "x");
    h_.Restart();
    const ExperimentId next = h_.Submit(TestFile("replicate"));
    EXPECT_GT(next, ExperimentId("e-7"));
    EXPECT_EQ(h_.Tasks(StageKind::kReplicate).size() % 3, 0u);
  }
}

TEST_F(Restore, AReportAsDeepAsTheProtocolAllowsIsReadAgain) {
  const TaskId task = h_.Tasks(StageKind::kReplicate).at(0);
  h_.Finish(task, {{"deep", *ParseJson(std::string(62, '[') + std::string(62, ']'), "t")}});
  h_.Restart();
  EXPECT_THAT(h_.snapshot()->store_health->set_aside, IsEmpty());
  EXPECT_EQ(h_.StateOf(task), "SUCCEEDED");
}

// Rows of a version that knew a single fallback: it was the second candidate model. And that
// version goes on to read the rows of this one.
TEST_F(Restore, TheFallbackOfOlderRowsIsAnIndex) {
  const RunId run = h_.RunOf(h_.Tasks(StageKind::kReplicate).at(0))->id;
  const struct {
    Json older;  // keys of the row that replace its own
    int64_t index;
  } rows[] = {{{{"fallback", false}}, 0},
              {{{"fallback", true}}, 1},
              {Json::object(), 0},
              {{{"fallback", true}, {"model_index", 2}}, 2}};
  int64_t step = 10;
  for (const auto& row : rows) {
    Json body = *ParseJson(BodyOf(store::EntityTable::kRuns, run.str()), "a row");
    body.erase("fallback");
    body.erase("model_index");
    body.update(row.older);
    Damage(store::EntityTable::kRuns, run.str(), "e-1", DumpJson(body));
    h_.Restart();
    EXPECT_EQ(h_.snapshot()->runs->at(run)->model_index, row.index) << row.older.dump();
    h_.Progress(h_.Tasks(StageKind::kReplicate).at(0), ++step);  // the row is written again
    body = *ParseJson(BodyOf(store::EntityTable::kRuns, run.str()), "a row");
    EXPECT_EQ(body["model_index"], row.index);
    EXPECT_EQ(body["fallback"], row.index > 0);
  }
}

// Rows of a version that told the searcher by the rule's name.
TEST_F(Restore, WhatAnAbortSaysOfItsRunIsKept) {
  const TaskId task = h_.Tasks(StageKind::kReplicate).at(0);
  const struct {
    const char *state, *stop, *rule;
    bool censored;  // where the row does not say
  } rows[] = {{"ABORTED", "abort", "no_convergence", false},
              {"ABORTED", "abort", "below_random", false},
              {"ABORTED", "", "non_finite", false},
              {"ABORTED", "abort", "stalled", true},
              {"ABORTED", "abort", "budget", true},
              {"ABORTED", "abort", "slip", true},
              {"ABORTED", "", "", true},
              {"SUCCEEDED", "", "", false}};
  for (const auto& row : rows) {
    for (const int said : {-1, 0, 1}) {
      Json body = *ParseJson(BodyOf(store::EntityTable::kTasks, task.str()), "a row");
      body.update({{"state", row.state},
                   {"stop_reason", row.stop},
                   {"rule", row.rule},
                   {"lease", nullptr},
                   {"censored", said == 1}});
      if (said == -1) body.erase("censored");
      Damage(store::EntityTable::kTasks, task.str(), "e-1", DumpJson(body));
      h_.Restart();
      EXPECT_EQ(h_.TaskAt(task)->censored, said == -1 ? row.censored : said == 1)
          << row.state << " " << row.rule << " " << said;
    }
  }
}

}  // namespace
}  // namespace scm::controller
