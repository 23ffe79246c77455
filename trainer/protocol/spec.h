// The work order of one attempt: the document that SCM_SPEC points to (docs/trainer-protocol.md),
// as typed values. Values only; immutable after parsing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/json.h"
#include "common/task_kind.h"
#include "corpus/input_check.h"
#include "experiment/spec.h"

namespace scm::trainer {

// Something an earlier task made: a checkpoint, an evaluation …
struct JobInput {
  std::string kind;  // "checkpoint"
  std::string run;   // "r-3", or ""
  int64_t seed = 0;
  int64_t step = 0;
  std::string dir;
};

// Which models an evaluate task scores besides the checkpoints among its inputs.
struct EvaluateJob {
  bool base = true;
  std::vector<std::string> baselines;  // names
  bool latency = true;                 // time single answers: of the base, and of the first input
};

struct ResumePoint {
  int64_t step = 0;
  std::string dir;
};

struct JobResources {
  int64_t cpus = 0;  // 0 = not said
  std::vector<int64_t> gpus;
  double gpu_memory_ratio = 1;  // of the memory of its GPU, what it may take: others share it
  int64_t rank = 0, world_size = 1;
  std::string rendezvous_host;  // where several ranks meet, at rank 0; "" with one
  int64_t rendezvous_port = 0;
  bool elastic = false;  // whether another number of ranks may go on from a checkpoint
};

struct JobSpec {
  // The runs that train together, each as the work order that it would have alone but for its
  // directory; of none of them has this list members. Empty: the job is that of `run_id`, or of no
  // run. What is below is then the first one's, without run, seed and resume_from.
  std::vector<JobSpec> pack;

  std::string experiment_id, experiment_name;
  std::string task_id;
  TaskKind kind = TaskKind::kTrain;
  std::string run_id;  // "" = the task belongs to no run
  uint64_t seed = 1;   // the run's
  int64_t attempt = 1;

  std::string model;  // absolute path of a Hugging Face directory or a .gguf file
  DataSpec data;
  LoraSpec lora;
  TrainingSpec training;
  EvaluationSpec evaluation;
  ExportSpec export_;
  TrainerParameters trainer;

  int64_t max_steps = 0;     // the schedule's length
  int64_t stop_at_step = 0;  // where this attempt ends
  int64_t save_steps = 0, eval_steps = 0;
  std::optional<ResumePoint> resume_from;
  std::vector<JobInput> inputs;
  std::vector<corpus::InputRecord>
      recorded;                         // what model, corpus and predictions were at submission
  std::optional<EvaluateJob> evaluate;  // none = the base and every baseline
  std::string work_dir;
  std::string digest_cache;  // directory of FileDigests, shared by a worker's attempts; "" = none
  JobResources resources;
  std::string digest;  // SHA-256 of what the work orders of all ranks of the attempt have in common
};

// INVALID_ARGUMENT names every missing or wrong key at once. Unknown keys are ignored, so that the
// protocol can grow. `what` names the document in messages (its path).
absl::StatusOr<JobSpec> ParseJobSpec(absl::string_view text, const std::string& what);

}  // namespace scm::trainer
