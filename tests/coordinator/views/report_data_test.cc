// What the report is told: the file, what was warned of, the sweep, what was exported and made.
#include "coordinator/views/report_data.h"

#include <gmock/gmock.h>

#include "common/files.h"
#include "tests/coordinator/controller/harness.h"
#include "tests/fakes/temp_dir.h"

namespace scm::controller {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

Json DataOf(Harness& h, const ExperimentId& id) {
  const auto data = views::MakeReportData(*h.snapshot(), views::RowsOf(h.store), id, "0.0.0");
  EXPECT_TRUE(data.ok()) << data.status();
  return data.value_or(Json());
}

// Leaves an artifact of one file in `directory`.
void Upload(Harness& h, const TaskId& id, const std::string& name, const std::string& directory,
            const std::string& file, const std::string& content) {
  ASSERT_TRUE(WriteFileAtomically(absl::StrCat(directory, "/", file), content).ok());
  const Task& task = *h.TaskAt(id);
  const std::string blob = absl::StrCat(id.str(), "/", name);
  checkpoint::Manifest manifest{blob, task.attempts, task.epoch, 0, {}};
  manifest.files.push_back({file, static_cast<int64_t>(content.size()), Sha256Hex(content), 0});
  checkpoint::CommittedBlob committed;
  committed.id = blob;
  committed.path = directory;
  committed.sha256 = Sha256Hex(content);
  committed.bytes = static_cast<int64_t>(content.size());
  committed.manifest = manifest;
  ASSERT_TRUE(h.Give(BlobInput{Harness::Ref(task), false, 0, name, committed,
                               task.attempt->ranks[0].worker})
                  .ok());
}

TEST(ReportData, HoldsTheFileAndWhatTheChecksWarnedOf) {
  fake::TempDir dir;
  Harness h;
  h.AddWorker(4);
  const std::string file = TestFile("check, replicate");
  const auto reply = h.Give(SubmitInput{"", file, file, {"a leak", "a leak", "\x1b[31mred"}});
  ASSERT_TRUE(reply.ok()) << reply.status();
  const ExperimentId e(std::get<std::string>(*reply));
  const TaskId check = h.Tasks(StageKind::kCheck).at(0);
  h.Started(check);
  Upload(h, check, "data_check", dir.path(), "data_check.json", "{\"findings\": [1]}");
  h.Finish(check, {{"warnings", {"too long", "a leak", 7}}});
  const Json data = DataOf(h, e);
  EXPECT_EQ(StringAt(data["experiment"], "source"), file);
  EXPECT_THAT(data["warnings"], ElementsAre("a leak", "\uFFFD[31mred", "too long"));
  EXPECT_EQ(data["data_check"], Json({{"findings", {1}}}));
  ASSERT_THAT(data["artifacts"], SizeIs(1));
  EXPECT_EQ(StringAt(data["artifacts"][0], "id"), check.str() + "/data_check");
  EXPECT_EQ(StringAt(data["artifacts"][0], "kind"), "check");
  EXPECT_EQ(IntegerAt(data["artifacts"][0], "bytes", 0), 17);
  h.Restart();
  EXPECT_EQ(DataOf(h, e)["warnings"], data["warnings"]);
}

TEST(ReportData, ADataCheckThatIsNoneIsNull) {
  for (const std::string content : {"no JSON", "[1]", "{\"a\": NaN}"}) {
    fake::TempDir dir;
    Harness h;
    h.AddWorker(4);
    const ExperimentId e = h.Submit(TestFile("check"));
    const TaskId check = h.Tasks(StageKind::kCheck).at(0);
    h.Started(check);
    EXPECT_TRUE(DataOf(h, e)["data_check"].is_null());
    Upload(h, check, "data_check", dir.path(), "data_check.json", content);
    EXPECT_TRUE(DataOf(h, e)["data_check"].is_null()) << content;
    EXPECT_THAT(DataOf(h, e)["warnings"], SizeIs(0));
  }
}

TEST(ReportData, WarningsOfASubmissionAreBounded) {
  Harness h;
  const std::string file = TestFile("replicate");
  std::vector<std::string> warnings;
  for (int i = 0; i < 500; ++i) warnings.push_back(absl::StrCat(i, std::string(9000, 'x')));
  const auto reply = h.Give(SubmitInput{"", file, file, warnings});
  const Json kept = DataOf(h, ExperimentId(std::get<std::string>(*reply)))["warnings"];
  EXPECT_THAT(kept, SizeIs(100));
  for (const Json& one : kept) EXPECT_LE(one.get<std::string>().size(), 503u);
}

TEST(ReportData, EveryTrialIsThereAndTheChosenOneNamed) {
  Harness h;
  h.AddWorker(4);
  const ExperimentId e = h.Submit(TestFile("sweep, replicate, export"));
  const std::vector<TaskId> trials = h.Tasks(StageKind::kSweep);
  // Before anything is known: every trial, without a value.
  const Json before = DataOf(h, e)["sweep"];
  EXPECT_TRUE(before["winner"].is_null());
  ASSERT_THAT(before["trials"], SizeIs(2));
  EXPECT_TRUE(before["trials"][0]["value"].is_null());
  h.Fail(trials.at(0), "out_of_memory");
  h.Train(trials.at(1), 0.5);
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) h.Train(task, 0.4);
  const TaskId exporter = h.Tasks(StageKind::kExport).at(0);
  EXPECT_EQ(StringAt(DataOf(h, e)["export"], "state"), "ASSIGNED");
  h.Started(exporter);
  h.Finish(exporter, {{"formats", {"peft"}},
                      {"run", "r-4"},
                      {"seed", 12},
                      {"step", 40},
                      {"merged_into", {{"base", "/m"}}}});
  const Json data = DataOf(h, e);
  const Json& sweep = data["sweep"];
  ASSERT_THAT(sweep["trials"], SizeIs(2));
  const Json& best = sweep["trials"][0];
  EXPECT_EQ(StringAt(best, "run"), h.RunOf(trials.at(1))->id.str());
  EXPECT_EQ(sweep["winner"], best["trial"]);
  EXPECT_EQ(NumberAt(best, "value", 0), 0.5);
  EXPECT_EQ(IntegerAt(best, "value_step", 0), 40);
  EXPECT_EQ(StringAt(best, "state"), "SUCCEEDED");
  EXPECT_EQ(NumberAt(best["parameters"], "training.learning_rate", 0), 1.0e-2);
  const Json& failed = sweep["trials"][1];
  EXPECT_EQ(StringAt(failed, "state"), "FAILED");
  EXPECT_TRUE(failed["value"].is_null());
  EXPECT_EQ(NumberAt(data["experiment"]["winner"], "training.learning_rate", 0), 1.0e-2);
  EXPECT_EQ(data["export"], Json({{"task", exporter.str()},
                                  {"state", "SUCCEEDED"},
                                  {"formats", {"peft"}},
                                  {"run", "r-4"},
                                  {"seed", 12},
                                  {"step", 40},
                                  {"merged_into", {{"base", "/m"}}}}));
}

TEST(ReportData, WithoutSweepAndExportBothAreNull) {
  Harness h;
  std::string file = TestFile("replicate");
  file.erase(file.find("sweep: "), file.find("replicate: {") - file.find("sweep: "));
  const Json data = DataOf(h, h.Submit(file));
  EXPECT_TRUE(data["sweep"].is_null());
  EXPECT_TRUE(data["export"].is_null());
  EXPECT_TRUE(data["data_check"].is_null());
  EXPECT_TRUE(data["experiment"]["winner"].is_null());
}

TEST(Artifacts, OfAnotherExperimentAreNotListed) {
  fake::TempDir dir;
  Harness h;
  h.AddWorker(4);
  // k-1 and k-10 begin alike, and belong to two experiments.
  const ExperimentId first = h.Submit(TestFile("replicate"));
  const ExperimentId second = h.Submit(TestFile("replicate"));
  std::vector<TaskId> tasks = h.Tasks(StageKind::kReplicate);
  ASSERT_THAT(tasks, SizeIs(6));
  for (size_t i = 0; i < 4; ++i) {
    h.Started(tasks.at(i));
    Upload(h, tasks.at(i), absl::StrCat("note-", i), dir.path(), "note", "x");
  }
  const Json mine = answers::ToJson(*views::StatusView(*h.snapshot(), first.str()));
  const Json other = answers::ToJson(*views::ReportView(*h.snapshot(), second.str()));
  EXPECT_THAT(mine["artifacts"], SizeIs(3));
  ASSERT_THAT(other["artifacts"], SizeIs(1));
  EXPECT_EQ(StringAt(other["artifacts"][0], "name"), "note-3");
  EXPECT_EQ(StringAt(other["artifacts"][0]["files"][0], "path"), "note");
  EXPECT_EQ(StringAt(other["artifacts"][0], "path"), dir.path());
}

}  // namespace
}  // namespace scm::controller
