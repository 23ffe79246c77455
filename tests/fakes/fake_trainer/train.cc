#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

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

class Training {
 public:
  Training(const Job& job, Protocol& protocol)
      : job_(job),
        script_(job.script),
        protocol_(protocol),
        learning_rate_(NumberAt(MemberAt(Parameters(), "training"), "learning_rate", 2e-4)),
        state_(job.seed,
               MemberAt(Parameters(), "training").dump() + MemberAt(Parameters(), "lora").dump()),
        save_steps_(std::max<int64_t>(1, IntegerAt(job.spec, "save_steps", 100))),
        eval_steps_(std::max<int64_t>(1, IntegerAt(job.spec, "eval_steps", 50))),
        last_step_(IntegerAt(job.spec, "stop_at_step", IntegerAt(job.spec, "max_steps", 100))) {}

  int Run() {
    const Json& resume = MemberAt(job_.spec, "resume_from");
    if (resume.is_object()) {
      const absl::Status loaded = state_.Load(StringAt(resume, "dir"), script_.payload_bytes);
      if (!loaded.ok()) return Fail(protocol_, "bad_input", std::string(loaded.message()));
      if (state_.step() != IntegerAt(resume, "step", -1)) {
        return Fail(protocol_, "bad_input", "resume_from.step is not the checkpoint's step");
      }
    }
    for (int64_t i = 0; i < script_.fork_children; ++i) {
      if (fork() == 0) {
        for (;;) pause();
      }
    }
    protocol_.Report({{"type", "started"}});
    if (state_.step() == 0) Validate();
    while (state_.step() < last_step_) {
      if (const std::optional<int> code = Step()) return *code;
    }
    return Finish();
  }

 private:
  const Json& Parameters() const { return MemberAt(job_.spec, "parameters"); }

  // One step with what belongs to it; the exit code if the process ends here.
  std::optional<int> Step() {
    SleepMilliseconds(script_.step_ms);
    if (const std::optional<int> code = ObeyCommands()) return code;
    state_.Advance();
    const int64_t step = state_.step();
    if (const std::optional<int> code = Misbehave(step)) return code;
    const double loss = TrainLoss(script_, learning_rate_, job_.seed, step);
    if (step % script_.progress_every == 0 || step == last_step_ || !std::isfinite(loss)) {
      Progress(step, loss);
    }
    if (!std::isfinite(loss) && script_.reports_diverged) {
      return Fail(protocol_, "diverged", absl::StrCat("the loss is not finite at step ", step));
    }
    const bool save = step % save_steps_ == 0 || step == last_step_;
    if (save || step % eval_steps_ == 0) Validate();
    if (save) return Save();
    return std::nullopt;
  }

  std::optional<int> Misbehave(int64_t step) {
    if (!job_.faulty()) return std::nullopt;
    if (step == script_.hang_at_step) {
      for (;;) pause();
    }
    if (step != script_.exit_at_step) return std::nullopt;
    if (!script_.fail_kind.empty()) Fail(protocol_, script_.fail_kind, "scripted failure");
    if (script_.torn_line) protocol_.ReportTorn({{"type", "progress"}, {"step", step}});
    fprintf(stderr, "fake trainer: scripted end at step %lld\n", static_cast<long long>(step));
    if (script_.exit_code < 0) raise(static_cast<int>(-script_.exit_code));
    return static_cast<int>(script_.exit_code);
  }

  std::optional<int> ObeyCommands() {
    for (Json command = protocol_.NextCommand(0); !command.is_null();
         command = protocol_.NextCommand(0)) {
      const std::string cmd = StringAt(command, "cmd");
      if (cmd == "checkpoint" && state_.step() > 0) {
        if (const std::optional<int> code = Save()) return code;
      }
      if (cmd != "stop" || (script_.ignore_stop && job_.faulty())) continue;
      if (BoolAt(command, "checkpoint", false) && state_.step() > 0) {
        if (const std::optional<int> code = Save()) return code;
      }
      protocol_.Report({{"type", "stopped"}, {"step", state_.step()}});
      return 0;
    }
    return std::nullopt;
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
    protocol_.Report(report);
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
    protocol_.Report(report);
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

  std::optional<int> Save() {
    if (saved_step_ == state_.step() || job_.rank > 0) return std::nullopt;
    const std::string directory = absl::StrCat(job_.work_dir, "/checkpoints/step-", state_.step());
    const bool lie = script_.bad_checkpoint && job_.faulty();
    const absl::Status saved =
        lie ? absl::OkStatus() : state_.Save(directory, script_.payload_bytes);
    if (!saved.ok()) return Fail(protocol_, "infrastructure", std::string(saved.message()));
    saved_step_ = state_.step();
    protocol_.Report({{"type", "checkpoint"}, {"step", state_.step()}, {"dir", directory}});
    return std::nullopt;
  }

  int Finish() {
    if (job_.kind == "check") {
      const std::string path = job_.work_dir + "/data_check.json";
      const Json check = {{"items", script_.items}, {"warnings", Json::array()}};
      if (!WriteFileDurably(path, check.dump(2)).ok()) {
        return Fail(protocol_, "infrastructure", "cannot write " + path);
      }
      protocol_.Report({{"type", "artifact"}, {"name", "data_check"}, {"path", path}});
      protocol_.Report({{"type", "done"},
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
    protocol_.Report({{"type", "done"},
                      {"summary",
                       {{"final_step", state_.step()},
                        {"best_step", best_step_},
                        {"best_validation_loss", JsonNumber(best_loss_)},
                        {"tokens", state_.step() * 512},
                        {"stopped_early", false}}}});
    return 0;
  }

  const Job& job_;
  const Script& script_;
  Protocol& protocol_;
  double learning_rate_;
  TrainingState state_;
  int64_t save_steps_, eval_steps_, last_step_;
  int64_t saved_step_ = -1, best_step_ = 0;
  double best_loss_ = HUGE_VAL, last_loss_ = 0, last_accuracy_ = 0;
  Json base_;
};

}  // namespace

int Fail(Protocol& protocol, const std::string& kind, const std::string& message) {
  protocol.Report({{"type", "failed"}, {"kind", kind}, {"message", message}});
  fprintf(stderr, "fake trainer: %s: %s\n", kind.c_str(), message.c_str());
  return 1;
}

int Train(const Job& job, Protocol& protocol) { return Training(job, protocol).Run(); }

}  // namespace scm::fake
