#include "tests/coordinator/controller/sim_trainer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/rng.h"

namespace scm::simulation {
namespace {

constexpr int64_t kServeSteps = 5;

double Noise(int64_t seed, const char* purpose, int64_t step) {
  Philox rng(static_cast<uint64_t>(seed), purpose, static_cast<uint64_t>(step));
  return 0.02 * (rng.Uniform() - 0.5);
}

// Learning rates around 1e-3 learn; far larger ones stay where they began.
double Curve(double learning_rate, int64_t step) {
  if (learning_rate > 0.1) return 3.0;
  return 0.5 + 2.5 * std::exp(-100 * learning_rate * static_cast<double>(step));
}

}  // namespace

double TrainLoss(int64_t seed, double learning_rate, int64_t step) {
  return Curve(learning_rate, step) + Noise(seed, "train", step);
}

double ValidationLoss(int64_t seed, double learning_rate, int64_t step) {
  return Curve(learning_rate, step) + 0.1 + Noise(seed, "validation", step);
}

SimTrainer::SimTrainer(const Json& spec, FaultAt fault) : spec_(spec), fault_(fault) {
  kind_ = StringAt(MemberAt(spec_, "task"), "kind");
  seed_ = IntegerAt(MemberAt(spec_, "run"), "seed", 0);
  rank_ = IntegerAt(MemberAt(spec_, "resources"), "rank", 0);
  stop_at_ = IntegerAt(spec_, "stop_at_step", 0);
  step_ = saved_ = IntegerAt(MemberAt(spec_, "resume_from"), "step", 0);
  learning_rate_ =
      NumberAt(MemberAt(MemberAt(spec_, "parameters"), "training"), "learning_rate", 0);
  // Runs differ in speed by up to a fifth.
  seconds_per_step_ = 1.5 + 0.3 * Philox(static_cast<uint64_t>(seed_), "speed").Uniform();
  for (const Json& run : MemberAt(spec_, "runs")) {
    Json solo = spec_;
    solo.erase("runs");
    solo["run"] = run;
    solo["parameters"] = run["parameters"];
    solo["resume_from"] = run["resume_from"];
    // What befalls one run befalls the first; the rest befalls the process.
    const bool of_run =
        fault.kind == TrainerFault::kNaN || fault.kind == TrainerFault::kBadInput ||
        fault.kind == TrainerFault::kOutOfMemory || fault.kind == TrainerFault::kDiverged ||
        fault.kind == TrainerFault::kInfrastructure || fault.kind == TrainerFault::kIgnoreStop;
    runs_.push_back(
        std::make_unique<SimTrainer>(solo, of_run && runs_.empty() ? fault : FaultAt()));
  }
  if (!runs_.empty() && runs_.front()->fault_.kind != TrainerFault::kNone) fault_ = FaultAt();
}

void SimTrainer::Write(const Json& report) {
  const std::string type = StringAt(report, "type");
  // Rank 0 alone reports and saves.
  if (rank_ > 0 && (type == "progress" || type == "validation" || type == "checkpoint")) return;
  absl::StrAppend(&spool_, report.dump(), "\n");
}

void SimTrainer::Validate() {
  Write({{"type", "validation"},
         {"step", step_},
         {"metrics", {{"validation_loss", ValidationLoss(seed_, learning_rate_, step_)}}}});
}

void SimTrainer::Checkpoint() {
  if (step_ <= saved_) return;
  saved_ = step_;
  Write({{"type", "checkpoint"}, {"step", step_}, {"dir", absl::StrCat("step-", step_)}});
}

void SimTrainer::Stop(bool checkpoint) {
  if (!stop_) stop_ = checkpoint;
}

bool SimTrainer::Misbehave() {
  if (fault_.kind == TrainerFault::kNone || ++done_ < fault_.step) return false;
  const auto fail = [this](const char* kind) {
    Write({{"type", "failed"}, {"kind", kind}, {"message", "as the simulation wants it"}});
    exit_code_ = 1;
    return true;
  };
  switch (fault_.kind) {
    case TrainerFault::kCrash:
      exit_code_ = 137;
      return true;
    case TrainerFault::kInfrastructure:
      return fail("infrastructure");
    case TrainerFault::kOutOfMemory:
      return fail("out_of_memory");
    case TrainerFault::kBadInput:
      return fail("bad_input");
    case TrainerFault::kDiverged:
      return fail("diverged");
    case TrainerFault::kHang:
      hangs_ = true;
      return true;
    default:
      return false;
  }
}

void SimTrainer::StopRun(const std::string& run) {
  for (const auto& one : runs_) {
    if (StringAt(MemberAt(one->spec_, "run"), "id") == run) one->Stop(false);
  }
}

void SimTrainer::PassOn(SimTrainer& run) {
  for (absl::string_view line : absl::StrSplit(std::exchange(run.spool_, ""), '\n')) {
    if (line.empty()) continue;
    Json report = *ParseJson(line, "spool");
    if (StringAt(report, "type") == "started") continue;
    report["run"] = MemberAt(MemberAt(run.spec_, "run"), "id");
    Write(report);
  }
}

void SimTrainer::WorkPack() {
  if (!started_) Write({{"type", "started"}});
  if (std::exchange(started_, true) && Misbehave()) return;
  if (stop_ && fault_.kind != TrainerFault::kIgnoreStop) {
    for (const auto& run : runs_) {
      if (*stop_) run->Checkpoint();
      PassOn(*run);
    }
    Write({{"type", "stopped"}, {"step", 0}});
    exit_code_ = 0;
    return;
  }
  std::erase_if(runs_, [this](const auto& run) {
    run->Work();
    PassOn(*run);
    return run->exit_code_.has_value();
  });
  if (!runs_.empty()) return;
  Write({{"type", "done"}, {"summary", Json::object()}});
  exit_code_ = 0;
}

void SimTrainer::Work() {
  if (exit_code_ || hangs_) return;
  if (MemberAt(spec_, "runs").is_array()) return WorkPack();
  if (!started_) {
    started_ = true;
    Write({{"type", "started"}});
    if ((kind_ == "train" || kind_ == "check") && step_ == 0) Validate();
    return;
  }
  if (Misbehave()) return;
  if (stop_ && fault_.kind != TrainerFault::kIgnoreStop) {
    if (*stop_ && (kind_ == "train" || kind_ == "check")) Checkpoint();
    Write({{"type", "stopped"}, {"step", step_}});
    exit_code_ = 0;
    return;
  }
  if (kind_ == "train" || kind_ == "check") {
    Train();
  } else {
    Serve();
  }
}

void SimTrainer::Train() {
  if (step_ >= stop_at_) {  // resumed from its last checkpoint: only the last word is missing
    Write({{"type", "done"}, {"summary", {{"final_step", step_}}}});
    exit_code_ = 0;
    return;
  }
  ++step_;
  const bool nan = fault_.kind == TrainerFault::kNaN && done_ >= fault_.step;
  Write({{"type", "progress"},
         {"step", step_},
         {"metrics",
          {{"train_loss", nan ? Json("NaN") : Json(TrainLoss(seed_, learning_rate_, step_))}}}});
  const bool last = step_ >= stop_at_;
  const bool save = last || step_ % IntegerAt(spec_, "save_steps", 1) == 0;
  if (save || step_ % IntegerAt(spec_, "eval_steps", 1) == 0) Validate();
  if (save) Checkpoint();
  if (!last) return;
  Write({{"type", "done"}, {"summary", {{"final_step", step_}}}});
  exit_code_ = 0;
}

void SimTrainer::Serve() {
  Write({{"type", "progress"}, {"step", ++step_}, {"metrics", {{"total", kServeSteps}}}});
  if (step_ < kServeSteps) return;
  const std::string name = kind_ == "evaluate" ? "evaluation" : kind_;
  Write({{"type", "artifact"}, {"name", name}, {"path", name}});
  Write({{"type", "done"}, {"summary", {{"decision", "go"}, {"headline", "It works."}}}});
  exit_code_ = 0;
}

}  // namespace scm::simulation
