// The job kinds "train" and "check", from the work order to the final report.
#pragma once

#include "absl/status/status.h"
#include "common/clock.h"
#include "trainer/protocol/commands.h"
#include "trainer/protocol/reporter.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

// Trains one attempt and reports it, "done" or "stopped" included; of a pack each run, and then the
// process. "check" looks at the corpus first and writes its findings as the artifact "data_check";
// errors there fail the job. A returned error is not yet reported: FailureKind() gives its kind.
absl::Status RunTrainJob(const JobSpec& spec, Reporter* reporter, CommandQueue* commands,
                         Clock* clock);

}  // namespace scm::trainer
