// The job kind "export": the best checkpoint as files that other programs open.
//
//   artifact "adapter"  the adapter as a PEFT directory (nothing of the optimiser), with a
//   README.md artifact "merged"   base + adapter as a Hugging Face directory (config.json,
//   model.safetensors,
//                       tokenizer files)
//
// The merge is made in fp32, W + alpha / r · B A, and stored in the base's own precision: the type
// of its embeddings, bf16 where they are quantised. One tensor is in memory at a time.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Exports in the formats of export.formats and reports it, "done" or "stopped" included.
absl::Status RunExportJob(const JobSpec& spec, Reporter* reporter, CommandQueue* commands);

// Of several checkpoints the one with the lowest validation loss at its own step; the first of
// equals. A checkpoint without a validation comes last. INVALID_ARGUMENT when there is none at all.
absl::StatusOr<JobInput> BestCheckpoint(const std::vector<JobInput>& inputs);

}  // namespace scm::trainer
