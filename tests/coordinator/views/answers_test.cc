// What every question is answered, byte for byte: the texts that `-o json` printed when answers
// were still made as JSON (tests/coordinator/views/answers.golden.json) against those of
// today.
#include <gmock/gmock.h>

#include <set>

#include "common/digest.h"
#include "common/files.h"
#include "coordinator/views/report_data.h"
#include "tests/coordinator/controller/harness.h"

namespace scm::controller {
namespace {

// An artifact of one file, or the checkpoint of that step.
void Leave(Harness& h, const TaskId& id, const std::string& name, int64_t step) {
  const Task& task = *h.TaskAt(id);
  const std::string blob =
      step > 0 ? absl::StrCat(task.run.str(), "/", step) : absl::StrCat(id.str(), "/", name);
  checkpoint::Manifest manifest{blob, task.attempts, task.epoch, step, {}};
  manifest.files.push_back({"a/añadió.bin", 17, Sha256Hex(blob), 0});
  manifest.files.push_back({"state", 4, Sha256Hex("state"), 0});
  checkpoint::CommittedBlob committed;
  committed.id = blob;
  committed.path = "/data/" + blob;
  committed.sha256 = Sha256Hex("manifest of " + blob);
  committed.bytes = 21;
  committed.manifest = manifest;
  ASSERT_TRUE(h.Give(BlobInput{Harness::Ref(task), step > 0, step, name, committed,
                               task.attempt->ranks[0].worker})
                  .ok());
}

void Reach(Harness& h, const TaskId& id, int64_t step, double loss) {
  h.Report(id, {{"type", "progress"},
                {"step", step},
                {"metrics",
                 {{"train_loss", loss}, {"tokens", 512 * step}, {"grad_norm", JsonNumber(0.1)}}}});
  h.Report(id, {{"type", "validation"},
                {"step", step},
                {"metrics", {{"validation_loss", loss}, {"validation_accuracy", 0.75}}},
                {"counts", {{"correct", 6}, {"items", 8}, {"chance", 0.25}, {"deff", 1.0}}}});
  Leave(h, id, "", step);
}

void TrainToTheEnd(Harness& h, const TaskId& id, double loss) {
  h.Started(id);
  const int64_t end = h.RunOf(id)->stop_at_step;
  h.Advance(absl::Seconds(3));
  for (int64_t step = 10; step <= end; step += 10) {
    Reach(h, id, step, loss + 1.0 / static_cast<double>(step));
    h.Advance(absl::Seconds(7));
  }
  h.Finish(id, {{"final_step", end}});
}

// One experiment that went through every stage and has nearly everything that an answer can hold,
// one that is under way, one that waits; workers of every state.
void Fill(Harness& h) {
  RegisterInput with_gpus;
  with_gpus.instance = "instance-g";
  with_gpus.host = "añadió";
  with_gpus.cpus = 3;
  with_gpus.version = "0.1.0";
  with_gpus.trainers = {"/usr/bin/t", "python3"};
  with_gpus.gpus = {{0, "H200", int64_t{141} << 30, 0.5, int64_t{7} << 30, "NVIDIA H200"},
                    {1, "", 0, 0, 0, ""}};
  h.Register(with_gpus);
  const WorkerId gone = h.AddWorker(1), drained = h.AddWorker(1);
  std::string all = TestFile("check, sweep, replicate, evaluate, export, report",
                             "budget: {limit: 5.0, currency: EUR, cpu_hour: 0.05}\n"
                             "abort: {no_convergence: none, below_random: none, stalled: none}\n");
  h.Submit(all);
  const TaskId check = h.Tasks(StageKind::kCheck).at(0);
  h.Started(check);
  h.Report(check, {{"type", "progress"}, {"step", 3}, {"total", 9}, {"metrics", Json::object()}});
  Leave(h, check, "data_check", 0);
  TrainToTheEnd(h, check, 2);
  for (const TaskId& task : h.Tasks(StageKind::kSweep)) TrainToTheEnd(h, task, 0.5);
  const std::vector<TaskId> seeds = h.Tasks(StageKind::kReplicate);
  TrainToTheEnd(h, seeds.at(0), 0.25);
  h.Started(seeds.at(1));
  Reach(h, seeds.at(1), 10, 0.4);
  h.Report(seeds.at(1),
           {{"type", "progress"},
            {"step", 12},
            {"metrics", {{"train_loss", "NaN"}, {"own", "-Infinity"}, {"big", 1e300}}}});
  h.Advance(absl::Seconds(2));
  h.Stopped(seeds.at(1));
  TrainToTheEnd(h, seeds.at(2), 0.125);
  std::string other = TestFile("replicate");
  h.Silence(gone);
  h.Control(ControlVerb::kDrain, drained.str()).IgnoreError();
  h.Submit(other);
  h.Advance(absl::Seconds(60));
  for (const TaskId& task : h.Tasks(StageKind::kReplicate)) {
    if (h.StateOf(task) != "ASSIGNED") continue;
    h.Started(task);
    Reach(h, task, 20, 1.0);
    h.Advance(absl::Seconds(1));
    h.Fail(task, "infrastructure");
    break;
  }
  std::string waiting = TestFile("replicate", "resources: {cpus: 64}\n");
  h.Submit(waiting.replace(0, 7, "name: w"));
  h.Give(DamageInput{"r-1/10", "a/file has 3 bytes, not 17", {}}).IgnoreError();
  h.Round();
}

// Every question about everything there is; a text that another question was answered with before
// stands there once.
class Asked {
 public:
  void Keep(const std::string& question, const std::string& text) {
    if (texts_.insert(text).second) all_[question] = text;
  }
  // As it comes out at the other end of a call.
  template <typename Answer>
  void Add(const std::string& question, const Answer& answer) {
    Answer received;
    EXPECT_TRUE(received.ParseFromString(answer.SerializeAsString())) << question;
    Keep(question, DumpJson(answers::ToJson(received), 2));
  }
  template <typename Answer>
  void Add(const std::string& question, const absl::StatusOr<Answer>& answer) {
    answer.ok() ? Add(question, *answer) : Keep(question, answer.status().ToString());
  }
  const Json& all() const { return all_; }

 private:
  std::set<std::string> texts_;
  Json all_ = Json::object();
};

Json Answers(Harness& h) {
  const auto snapshot = h.snapshot();
  Asked asked;
  asked.Add("ls", views::ListView(*snapshot));
  asked.Add("workers", views::WorkersView(*snapshot));
  asked.Add("inventory", views::InventoryView(*snapshot));
  std::vector<std::string> ids;
  for (const auto& [id, each] : *snapshot->experiments) ids.push_back(id.str());
  for (const auto& [id, each] : *snapshot->trials) ids.push_back(id.str());
  for (const auto& [id, each] : *snapshot->runs) ids.push_back(id.str());
  for (const auto& [id, each] : *snapshot->tasks) ids.push_back(id.str());
  for (const char* id : {"nothing", "w-1", "w-2", "w-3", "c-1", "r-1/10", "r-1/20"}) {
    ids.push_back(id);
  }
  for (const std::string& id : ids) {
    asked.Add("status " + id, views::StatusView(*snapshot, id));
    asked.Add("runs " + id, views::RunsView(*snapshot, id));
    asked.Add("why " + id, views::WhyView(*snapshot, id));
    asked.Add("checkpoints " + id, views::CheckpointsView(*snapshot, id));
    asked.Add("report " + id, views::ReportView(*snapshot, id));
    const views::EventFilter filter = views::EventsAbout(*snapshot, id);
    asked.Add("events " + id,
              views::EventsView(*h.store.ReadEvents(filter.experiment, 0, 10000), filter));
    if (snapshot->runs->contains(RunId(id))) {
      const auto rows = h.store.ReadMetrics(id, 0, 10000);
      asked.Add("metrics " + id, views::MetricsView(*snapshot, RunId(id), *rows));
    }
    if (const ExperimentId e(id); snapshot->experiments->contains(e)) {
      const auto data = views::MakeReportData(*snapshot, views::RowsOf(h.store), e, "1.2.3");
      asked.Keep("report data " + id, DumpJson(*data, 2));
    }
  }
  return asked.all();
}

TEST(Answers, AreWhatTheyWere) {
  Harness h;
  Fill(h);
  const std::string path = SCM_SOURCE_DIR "/tests/coordinator/views/answers.golden.json";
  const absl::StatusOr<std::string> text = ReadFile(path);
  ASSERT_TRUE(text.ok()) << text.status();
  const absl::StatusOr<Json> golden = ParseJson(*text, path);
  ASSERT_TRUE(golden.ok()) << golden.status();
  const Json now = Answers(h);
  EXPECT_GT(golden->size(), 50u);
  EXPECT_EQ(now.size(), golden->size());
  for (const auto& [question, answer] : golden->items()) {
    EXPECT_EQ(StringAt(now, question), answer.get<std::string>()) << question;
  }
}

}  // namespace
}  // namespace scm::controller
