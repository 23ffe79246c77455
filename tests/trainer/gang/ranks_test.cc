// One run trained by several processes of scm-trainer: what one process gives, exact resume, and
// how the ranks end together.
#include <signal.h>

#include <cmath>
#include <cstring>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/trainer/loop/process_fixture.h"
#include "tests/trainer/loop/spawn.h"
#include "tests/trainer/loop/tiny_model.h"
#include "trainer/gang/line_socket.h"

namespace scm::gang {
namespace {

using ::testing::HasSubstr;
using testing::OfType;
using testing::ProtocolProcess;
using testing::TinySpec;

// The processes of one attempt. Each has files of its own.
class Attempt {
 public:
  Attempt(const Json& spec, int64_t ranks, const std::string& name, const std::string& root)
      : name_(name), root_(root) {
    const int64_t port = Listener::Open(0)->port();
    for (int64_t rank = 0; rank < ranks; ++rank) {
      Json own = spec;
      own["work_dir"] = WorkDir(rank);
      Json& resources = own["resources"];
      resources["rank"] = rank;
      resources["world_size"] = ranks;
      resources["rendezvous"] = {{"host", "127.0.0.1"}, {"port", port}};
      if (ranks == 1) resources["rendezvous"] = nullptr;
      if (change) change(rank, own);
      processes_.push_back(std::make_unique<ProtocolProcess>("scm-trainer", own, ReportPath(rank)));
    }
  }

  std::string WorkDir(int64_t rank) const { return absl::StrCat(root_, "/", name_, "-", rank); }
  std::string ReportPath(int64_t rank) const { return WorkDir(rank) + ".jsonl"; }
  std::string Log(int64_t rank) const { return ReadFile(ReportPath(rank) + ".log").value_or(""); }
  ProtocolProcess& at(int64_t rank) { return *processes_[static_cast<size_t>(rank)]; }
  int64_t ranks() const { return static_cast<int64_t>(processes_.size()); }
  std::vector<int> WaitAll() {
    std::vector<int> codes;
    for (const auto& process : processes_) codes.push_back(process->Wait());
    return codes;
  }
  // All succeed; what rank 0 reported.
  std::vector<Json> Succeed() {
    for (int64_t rank = 0; rank < ranks(); ++rank) EXPECT_EQ(at(rank).Wait(), 0) << Log(rank);
    return at(0).Reports();
  }
  std::string Checkpoint(int64_t step) const {
    return absl::StrCat(WorkDir(0), "/checkpoints/step-", step);
  }

  // What distinguishes a rank's work order, for tests of that.
  inline static std::function<void(int64_t rank, Json& spec)> change;

 private:
  std::string name_, root_;
  std::vector<std::unique_ptr<ProtocolProcess>> processes_;
};

// The floats of a safetensors file, tensor by tensor in the order of the file.
std::vector<std::vector<float>> TensorsOf(const std::string& path) {
  const std::string bytes = ReadFile(path).value_or("");
  uint64_t header = 0;
  if (bytes.size() < 8) return {};
  std::memcpy(&header, bytes.data(), 8);
  const auto json = ParseJson(absl::string_view(bytes).substr(8, header), path);
  EXPECT_TRUE(json.ok()) << json.status();
  std::vector<std::vector<float>> tensors;
  for (const auto& [name, tensor] : json->items()) {
    if (name == "__metadata__") continue;
    const size_t begin = tensor["data_offsets"][0], end = tensor["data_offsets"][1];
    tensors.emplace_back((end - begin) / sizeof(float));
    std::memcpy(tensors.back().data(), bytes.data() + 8 + header + begin, end - begin);
  }
  return tensors;
}

// The largest ‖a − b‖ / ‖a‖ of a tensor.
double Distance(const std::string& a, const std::string& b) {
  const auto x = TensorsOf(a), y = TensorsOf(b);
  EXPECT_EQ(x.size(), y.size());
  EXPECT_FALSE(x.empty());
  double worst = 0;
  for (size_t t = 0; t < std::min(x.size(), y.size()); ++t) {
    double off = 0, norm = 0;
    for (size_t i = 0; i < x[t].size(); ++i) {
      off += std::pow(static_cast<double>(x[t][i]) - y[t][i], 2);
      norm += std::pow(static_cast<double>(x[t][i]), 2);
    }
    worst = std::max(worst, std::sqrt(off / norm));
  }
  return worst;
}

// The largest relative difference of a metric over all reports of a type.
double MetricDistance(const std::vector<Json>& a, const std::vector<Json>& b,
                      const std::string& type, const std::string& metric) {
  const auto x = OfType(a, type), y = OfType(b, type);
  EXPECT_EQ(x.size(), y.size()) << type;
  double worst = 0;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    EXPECT_EQ(x[i]["step"], y[i]["step"]);
    const double expected = x[i]["metrics"][metric], found = y[i]["metrics"][metric];
    worst = std::max(worst, std::abs(expected - found) / std::abs(expected));
  }
  return worst;
}

class Ranks : public trainer::TrainerProcess {
 protected:
  void TearDown() override { Attempt::change = nullptr; }

  static Json Long() {
    Json spec = TinySpec(root(), "train", "");
    spec["max_steps"] = spec["stop_at_step"] = 400;
    spec["save_steps"] = spec["eval_steps"] = 50;
    return spec;
  }
  static Json Endless() {
    Json spec = Long();
    spec["max_steps"] = spec["stop_at_step"] = spec["save_steps"] = spec["eval_steps"] = 1000000;
    return spec;
  }
};

struct Batching {
  const char* name;
  int64_t batch_size, accumulation;
  bool packing;
};

TEST_F(Ranks, GiveWhatOneProcessGives) {
  // The last one has fewer documents in a step than there are ranks.
  for (const Batching& b : {Batching{"accumulated", 4, 2, false}, Batching{"packed", 2, 2, true},
                            Batching{"single", 1, 1, false}, Batching{"odd", 3, 1, false}}) {
    Json spec = TinySpec(root(), "train", "");
    spec["max_steps"] = spec["stop_at_step"] = 40;
    spec["save_steps"] = 20;
    spec["eval_steps"] = 10;
    Json& parameters = spec["parameters"];
    parameters["training"]["learning_rate"] = 0.002;
    parameters["training"]["batch_size"] = b.batch_size;
    parameters["training"]["gradient_accumulation"] = b.accumulation;
    parameters["data"]["packing"] = b.packing;
    if (b.packing) parameters["data"]["max_length"] = 200;
    Attempt one(spec, 1, absl::StrCat(b.name, "1"), root());
    const auto expected = one.Succeed();
    ASSERT_EQ(OfType(expected, "progress").size(), 40u);
    for (const int64_t ranks : {2, 3}) {
      Attempt gang(spec, ranks, absl::StrCat(b.name, ranks), root());
      const auto reports = gang.Succeed();
      const double adapters = Distance(one.Checkpoint(40) + "/adapter_model.safetensors",
                                       gang.Checkpoint(40) + "/adapter_model.safetensors");
      const double loss = MetricDistance(expected, reports, "progress", "train_loss");
      const double validation = MetricDistance(expected, reports, "validation", "validation_loss");
      std::cout << b.name << ", " << ranks << " ranks: adapters " << adapters << ", losses " << loss
                << ", validations " << validation << "\n";
      EXPECT_LE(adapters, 1e-5);
      EXPECT_LE(loss, 1e-5);
      EXPECT_LE(validation, 1e-5);
      EXPECT_EQ(MetricDistance(expected, reports, "progress", "tokens"), 0);
      // The untouched base is scored in the same batches.
      EXPECT_EQ(OfType(expected, "validation")[0].dump(), OfType(reports, "validation")[0].dump());
      for (int64_t rank = 1; rank < ranks; ++rank) {
        EXPECT_TRUE(gang.at(rank).OfType("progress").empty());
        EXPECT_TRUE(gang.at(rank).OfType("checkpoint").empty());
        EXPECT_EQ(gang.at(rank).OfType("done").size(), 1u);
        EXPECT_FALSE(FileExists(gang.WorkDir(rank) + "/checkpoints"));
      }
    }
  }
}

TEST_F(Ranks, KilledOrPausedEndOnAllAndResumeWithTheSameBytes) {
  Attempt whole(Long(), 3, "whole", root());
  whole.Succeed();
  for (const int signal : {SIGKILL, SIGSTOP}) {
    for (const int64_t rank : {0, 2}) {
      const std::string name = absl::StrCat("signal-", signal, "-", rank);
      SCOPED_TRACE(name);
      Attempt gang(Long(), 3, name, root());
      ASSERT_TRUE(gang.at(0).WaitFor([](const Json& r) { return r["type"] == "checkpoint"; }));
      const absl::Duration began = RealClock().Steady();
      gang.at(rank).Kill(signal);
      for (int64_t other = 0; other < 3; ++other) {
        if (other == rank) continue;
        EXPECT_EQ(gang.at(other).Wait(), 1) << gang.Log(other);
        const auto failures = gang.at(other).OfType("failed");
        ASSERT_EQ(failures.size(), 1u);
        EXPECT_EQ(failures[0]["kind"], "infrastructure");
        EXPECT_THAT(StringAt(failures[0], "message"), HasSubstr(absl::StrCat("rank ", rank, " (")));
      }
      std::cout << name << ": all ended after " << RealClock().Steady() - began << "\n"
                << gang.at(rank == 0 ? 1 : 0).OfType("failed")[0]["message"] << "\n";
      gang.at(rank).Kill(SIGKILL);
      const Json saved = gang.at(0).OfType("checkpoint").back();
      Json spec = Long();
      spec["attempt"] = 2;
      spec["resume_from"] = {{"step", saved["step"]}, {"dir", saved["dir"]}};
      Attempt resumed(spec, 3, name + "-resumed", root());
      resumed.Succeed();
      EXPECT_EQ(Files(resumed.Checkpoint(400)), Files(whole.Checkpoint(400)));
    }
  }
}

TEST_F(Ranks, AnotherNumberOfRanksGoesOnWhereThatIsAllowed) {
  Json spec = TinySpec(root(), "train", "");
  spec["parameters"]["training"]["learning_rate"] = 0.002;
  Attempt two(spec, 2, "two", root());
  two.Succeed();
  spec["attempt"] = 2;
  spec["resume_from"] = {{"step", 8}, {"dir", two.Checkpoint(8)}};
  for (const int64_t ranks : {1, 3}) {
    spec["resources"]["elastic"] = false;
    Attempt refused(spec, ranks, absl::StrCat("refused", ranks), root());
    EXPECT_EQ(refused.WaitAll(), std::vector<int>(static_cast<size_t>(ranks), 1));
    EXPECT_EQ(refused.at(0).OfType("failed")[0]["kind"], "bad_input");
    EXPECT_THAT(refused.at(0).OfType("failed")[0].dump(), HasSubstr("resources.elastic: true"));
    spec["resources"]["elastic"] = true;
    Attempt elastic(spec, ranks, absl::StrCat("elastic", ranks), root());
    elastic.Succeed();
    const double distance = Distance(two.Checkpoint(12) + "/adapter_model.safetensors",
                                     elastic.Checkpoint(12) + "/adapter_model.safetensors");
    std::cout << "from 2 to " << ranks << " ranks: adapters " << distance << "\n";
    EXPECT_LE(distance, 1e-5);
  }
}

// An order that one rank alone hears, as when its worker shuts down, is for all.
TEST_F(Ranks, StopTogetherWithOneCheckpoint) {
  for (const int64_t told : {0, 1}) {
    Attempt gang(Endless(), 2, absl::StrCat("stopped", told), root());
    ASSERT_TRUE(gang.at(0).WaitFor([](const Json& r) { return r["type"] == "progress"; }));
    gang.at(0).Send(R"({"cmd":"checkpoint"})");
    gang.at(1).Send(R"({"cmd":"checkpoint"})");
    ASSERT_TRUE(gang.at(0).WaitFor([](const Json& r) { return r["type"] == "checkpoint"; }));
    gang.at(told).Send(R"({"cmd":"stop","reason":"drain","checkpoint":true})");
    gang.Succeed();
    const Json stopped = gang.at(0).Reports().back();
    EXPECT_EQ(stopped["type"], "stopped");
    EXPECT_EQ(gang.at(1).Reports().back(), stopped);
    EXPECT_EQ(gang.at(0).OfType("checkpoint").size(), 2u);
    EXPECT_EQ(gang.at(0).OfType("checkpoint").back()["step"], stopped["step"]);
  }
}

TEST_F(Ranks, StopEarlyTogether) {
  Json spec = Long();
  spec["eval_steps"] = 5;
  spec["parameters"]["training"]["early_stopping"] = {{"patience", 2}, {"min_delta", 0.2}};
  Attempt one(spec, 1, "early1", root()), two(spec, 2, "early2", root());
  const Json expected = one.Succeed().back()["summary"], found = two.Succeed().back()["summary"];
  EXPECT_EQ(found["stopped_early"], true);
  EXPECT_EQ(found["final_step"], expected["final_step"]);
  EXPECT_EQ(two.at(1).Reports().back()["summary"]["final_step"], found["final_step"]);
}

TEST_F(Ranks, OfDifferentWorkOrdersDoNotTrain) {
  Attempt::change = [](int64_t rank, Json& spec) {
    if (rank == 1) spec["parameters"]["training"]["learning_rate"] = 0.5;
  };
  Attempt gang(Long(), 2, "different", root());
  EXPECT_EQ(gang.WaitAll(), (std::vector<int>{1, 1}));
  for (const int64_t rank : {0, 1}) {
    EXPECT_THAT(gang.at(rank).OfType("failed")[0].dump(),
                HasSubstr("the ranks do not fit together: the work order of rank 1 ("));
  }
}

// What one of them cannot read ends all, by the same kind.
TEST_F(Ranks, AFailureOfOneIsThatOfAll) {
  Attempt before(TinySpec(root(), "train", ""), 2, "before", root());
  before.Succeed();
  const std::string there = before.Checkpoint(8);
  Attempt::change = [there](int64_t rank, Json& spec) {
    spec["resume_from"] = {{"step", 8}, {"dir", rank == 1 ? "/nowhere" : there}};
  };
  Attempt gang(TinySpec(root(), "train", ""), 2, "after", root());
  EXPECT_EQ(gang.WaitAll(), (std::vector<int>{1, 1}));
  for (const int64_t rank : {0, 1}) {
    const Json failure = gang.at(rank).OfType("failed")[0];
    EXPECT_EQ(failure["kind"], "bad_input") << rank;
    EXPECT_THAT(failure.dump(), HasSubstr("/nowhere"));
  }
}

TEST_F(Ranks, DivergeTogether) {
  const std::string model = root() + "/nan-model";
  testing::WriteNanModel(model);
  Json spec = Long();
  spec["parameters"]["model"]["base"] = model;
  Attempt gang(spec, 2, "diverged", root());
  EXPECT_EQ(gang.WaitAll(), (std::vector<int>{1, 1}));
  for (const int64_t rank : {0, 1}) {
    const Json failure = gang.at(rank).OfType("failed")[0];
    EXPECT_EQ(failure["kind"], "diverged");
    EXPECT_THAT(failure.dump(), HasSubstr("finite arose in norm, forward"));
  }
  EXPECT_EQ(gang.at(0).OfType("progress").size(), 1u);
}

}  // namespace
}  // namespace scm::gang
