#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "tests/fakes/fake_trainer/curves.h"
#include "tests/fakes/fake_trainer/job.h"
#include "tests/fakes/fake_trainer/state.h"

namespace scm::fake {
namespace {

void SleepMilliseconds(int64_t ms) {
  const timespec pause{ms / 1000, (ms % 1000) * 1'000'000L};
  nanosleep(&pause, nullptr);
}

void LeaveChildren(const Script& script) {
  for (int64_t i = 0; i < script.fork_children; ++i) {
    if (fork() == 0) {
      for (;;) pause();
    }
  }
}

// One run: alone, or one of several that take turns in this process and name themselves in what
// they report.
class Training {
 public:
  Training(Job job, Protocol& protocol, std::string name = "")
      : job_(std::move(job)),
        script_(job_.script),
        protocol_(protocol),
        name_(std::move(name)),
        learning_rate_(NumberAt(MemberAt(Parameters(), "training"), "learning_rate", 2e-4)),
        state_(job_.seed,
               MemberAt(Parameters(), "training").dump() + MemberAt(Parameters(), "lora").dump()),
        save_steps_(std::max<int64_t>(1, IntegerAt(job_.spec, "save_steps", 100))),
        eval_steps_(std::max<int64_t>(1, IntegerAt(job_.spec, "eval_steps", 50))),
        last_step_(IntegerAt(job_.spec, "stop_at_step", IntegerAt(job_.spec, "max_steps", 100))) {}
  Training(const Training&) = delete;

  const std::string& name() const { return name_; }
  bool finished() const { return state_.step() >= last_step_; }

  // Takes up its checkpoint; the exit code if it cannot.
  std::optional<int> Load() {
    const Json& resume = MemberAt(job_.spec, "resume_from");
    if (!resume.is_object()) return std::nullopt;
    const absl::Status loaded = state_.Load(StringAt(resume, "dir"), script_.payload_bytes);
    if (!loaded.ok()) return Fail("bad_input", std::string(loaded.message()));
    if (state_.step() == IntegerAt(resume, "step", -1)) return std::nullopt;
    return Fail("bad_input", "resume_from.step is not the checkpoint's step");
  }
  void Begin() {
    if (state_.step() == 0) Validate();
  }

  // One step with what belongs to it; the exit code if the process ends here.
  std::optional<int> Step() {
    state_.Advance();
    const int64_t step = state_.step();
    if (const std::optional<int> code = Misbehave(step)) return code;
    const double loss = TrainLoss(script_, learning_rate_, job_.seed, step);
    if (step % script_.progress_every == 0 || step == last_step_ || !std::isfinite(loss)) {
      Progress(step, loss);
    }
    if (!std::isfinite(loss) && script_.reports_diverged) {
      return Fail("diverged", absl::StrCat("the loss is not finite at step ", step));
    }
    const bool save = step % save_steps_ == 0 || step == last_step_;
    if (save || step % eval_steps_ == 0) Validate();
    if (save) return Save();
    return std::nullopt;
  }

  // What a command asks of it; the exit code if it ends.
  std::optional<int> Obey(const Json& command) {
    const std::string cmd = StringAt(command, "cmd");
    if (cmd == "checkpoint" && state_.step() > 0) return Save();
    if (cmd != "stop" || (script_.ignore_stop && job_.faulty())) return std::nullopt;
    if (BoolAt(command, "checkpoint", false) && state_.step() > 0) {
      if (const std::optional<int> code = Save()) return code;
    }
    Say({{"type", "stopped"}, {"step", state_.step()}});
    return 0;
  }

  std::optional<int> Save() {
    if (saved_step_ == state_.step() || job_.rank > 0) return std::nullopt;
    const std::string directory = absl::StrCat(
        job_.work_dir, "/checkpoints", name_.empty() ? "" : "/", name_, "/step-", state_.step());
    const bool lie = script_.bad_checkpoint && job_.faulty();
    const absl::Status saved =
        lie ? absl::OkStatus() : state_.Save(directory, script_.payload_bytes);
    if (!saved.ok()) return Fail("infrastructure", std::string(saved.message()));
    saved_step_ = state_.step();
    Say({{"type", "checkpoint"}, {"step", state_.step()}, {"dir", directory}});
    return std::nullopt;
  }

  int Finish() {
    if (job_.kind == "check") {
      const std::string path = job_.work_dir + "/data_check.json";
      const Json check = {{"items", script_.items}, {"warnings", Json::array()}};
      if (!WriteFileDurably(path, check.dump(2)).ok()) {
        return Fail("infrastructure", "cannot write " + path);
      }
      Say({{"type", "artifact"}, {"name", "data_check"}, {"path", path}});
      Say({{"type", "done"},
           {"summary",
            {{"items", script_.items},
             {"documents", 10},
             {"warnings", {"this check is scripted and looked at nothing"}},
             {"base", base_},
             {"final",
              {{"validation_loss", JsonNumber(last_loss_)},
               {"validation_accuracy", last_accuracy_}}},
             {"tokens_per_second", 1000.0}}}});
      return 0;
    }
    Say({{"type", "done"},
         {"summary",
          {{"final_step", state_.step()},
           {"best_step", best_step_},
           {"best_validation_loss", JsonNumber(best_loss_)},
           {"tokens", state_.step() * 512},
           {"stopped_early", false}}}});
    return 0;
  }

 private:
  const Json& Parameters() const { return MemberAt(job_.spec, "parameters"); }

  void Say(Json report) {
    if (!name_.empty()) report["run"] = name_;
    protocol_.Report(report);
  }

  int Fail(const std::string& kind, const std::string& message) {
    Say({{"type", "failed"}, {"kind", kind}, {"message", message}});
    fprintf(stderr, "fake trainer: %s: %s\n", kind.c_str(), message.c_str());
    return 1;
  }

  std::optional<int> Misbehave(int64_t step) {
    if (!job_.faulty()) return std::nullopt;
    if (step == script_.hang_at_step) {
      for (;;) pause();
    }
    if (step != script_.exit_at_step) return std::nullopt;
    if (!script_.fail_kind.empty()) Fail(script_.fail_kind, "scripted failure");
    if (!script_.fail_kind.empty() && !name_.empty()) return 1;  // the others go on
    if (script_.torn_line) protocol_.ReportTorn({{"type", "progress"}, {"step", step}});
    fprintf(stderr, "fake trainer: scripted end at step %lld\n", static_cast<long long>(step));
    if (script_.exit_code < 0) raise(static_cast<int>(-script_.exit_code));
    if (!name_.empty()) _exit(static_cast<int>(script_.exit_code));
    return static_cast<int>(script_.exit_code);
  }

  void Progress(int64_t step, double loss) {
    if (job_.rank > 0) return;
    Json report = {{"type", "progress"},
                   {"step", step},
                   {"metrics",
                    {{"train_loss", JsonNumber(loss)},
                     {"grad_norm", JsonNumber(std::isfinite(loss) ? 1.0 / (1 + loss) : loss)},
                     {"learning_rate", learning_rate_},
                     {"tokens", step * 512}}}};
    if (script_.unknown_reports) {
      report["colour"] = "green";
      protocol_.Report({{"type", "weather"}, {"step", step}});
    }
    Say(report);
    printf("step %lld loss %.4f\n", static_cast<long long>(step), loss);
    fflush(stdout);
  }

  void Validate() {
    if (job_.rank > 0) return;
    const int64_t step = state_.step();
    const double loss = ValidationLoss(script_, learning_rate_, job_.seed, step);
    const int64_t correct = CorrectItems(script_, learning_rate_, job_.seed, step);
    const double accuracy = static_cast<double>(correct) / static_cast<double>(script_.items);
    Json report = {
        {"type", "validation"},
        {"step", step},
        {"metrics", {{"validation_loss", JsonNumber(loss)}, {"validation_accuracy", accuracy}}}};
    if (script_.counts) {
      report["counts"] = {{"correct", correct},
                          {"items", script_.items},
                          {"chance", 1.0 / static_cast<double>(script_.choices)},
                          {"deff", script_.deff}};
    }
    Say(report);
    if (std::isfinite(loss) && loss < best_loss_) {
      best_loss_ = loss;
      best_step_ = step;
    }
    last_loss_ = loss;
    last_accuracy_ = accuracy;
    if (step == 0) {
      base_ = {{"validation_loss", JsonNumber(loss)}, {"validation_accuracy", accuracy}};
    }
  }

  const Job job_;
  const Script& script_;
  Protocol& protocol_;
  const std::string name_;  // "" = it is alone
  double learning_rate_;
  TrainingState state_;
  int64_t save_steps_, eval_steps_, last_step_;
  int64_t saved_step_ = -1, best_step_ = 0;
  double best_loss_ = HUGE_VAL, last_loss_ = 0, last_accuracy_ = 0;
  Json base_;
};

int TrainAlone(const Job& job, Protocol& protocol) {
  Training run(job, protocol);
  if (const std::optional<int> code = run.Load()) return *code;
  LeaveChildren(job.script);
  protocol.Report({{"type", "started"}});
  run.Begin();
  while (!run.finished()) {
    SleepMilliseconds(job.script.step_ms);
    for (Json command = protocol.NextCommand(0); !command.is_null();
         command = protocol.NextCommand(0)) {
      if (const std::optional<int> code = run.Obey(command)) return *code;
    }
    if (const std::optional<int> code = run.Step()) return *code;
  }
  return run.Finish();
}

// The runs of a pack that go on, in turns of a step each.
class Pack {
 public:
  Pack(const Job& job, Protocol& protocol) : job_(job), protocol_(protocol) {}

  int Run() {
    protocol_.Report({{"type", "started"}});
    for (const Json& run : MemberAt(job_.spec, "runs")) {
      runs_.push_back(std::make_unique<Training>(JobOf(run), protocol_, StringAt(run, "id")));
    }
    ForEach([](Training& run) {
      const std::optional<int> code = run.Load();
      if (!code) run.Begin();
      return code.has_value();
    });
    while (!runs_.empty()) {
      SleepMilliseconds(job_.script.step_ms);
      for (Json command = protocol_.NextCommand(0); !command.is_null();
           command = protocol_.NextCommand(0)) {
        if (Obey(command)) return 0;
      }
      ForEach([](Training& run) {
        if (!run.finished()) return run.Step().has_value();
        run.Finish();
        return true;
      });
    }
    protocol_.Report({{"type", "done"}, {"summary", Json::object()}});
    return 0;
  }

 private:
  Job JobOf(const Json& run) const {
    Job job = job_;
    job.spec["run"] = {{"id", run["id"]}, {"trial", run["trial"]}, {"seed", run["seed"]}};
    job.spec["parameters"] = run["parameters"];
    job.spec["resume_from"] = run["resume_from"];
    job.TakeSeed(IntegerAt(run, "seed", 1));
    return job;
  }
  // `over` says of a run that it goes on no more.
  template <typename Over>
  void ForEach(Over over) {
    std::erase_if(runs_, [&over](const auto& run) { return over(*run); });
  }
  // Whether the process is to end.
  bool Obey(const Json& command) {
    const std::string name = StringAt(command, "run");
    const bool stops_all = name.empty() && StringAt(command, "cmd") == "stop";
    if (stops_all && job_.script.ignore_stop) return false;
    if (stops_all) {
      ForEach([&command](Training& run) {
        if (BoolAt(command, "checkpoint", false)) run.Obey({{"cmd", "checkpoint"}});
        return true;
      });
      protocol_.Report({{"type", "stopped"}, {"step", 0}});
      return true;
    }
    ForEach([&](Training& run) {
      return (name.empty() || name == run.name()) && run.Obey(command).has_value();
    });
    return false;
  }

  const Job& job_;
  Protocol& protocol_;
  std::vector<std::unique_ptr<Training>> runs_;
};

}  // namespace

int Fail(Protocol& protocol, const std::string& kind, const std::string& message) {
  protocol.Report({{"type", "failed"}, {"kind", kind}, {"message", message}});
  fprintf(stderr, "fake trainer: %s: %s\n", kind.c_str(), message.c_str());
  return 1;
}

int Train(const Job& job, Protocol& protocol) {
  if (MemberAt(job.spec, "runs").is_array()) return Pack(job, protocol).Run();
  return TrainAlone(job, protocol);
}

}  // namespace scm::fake
