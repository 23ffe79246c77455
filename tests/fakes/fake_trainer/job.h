// One task of the fake trainer, by kind. Each returns the process's exit code.
#pragma once

#include <string>

#include "common/json.h"
#include "tests/fakes/fake_trainer/protocol.h"
#include "tests/fakes/fake_trainer/script.h"

namespace scm::fake {

struct Job {
  Json spec;
  Script script;
  std::string kind;  // check, train, evaluate, export, report
  std::string work_dir;
  int64_t attempt = 1;
  int64_t seed = 1;
  int64_t rank = 0;  // of a gang; rank 0 alone reports and saves
  // Which run it is; where the script is for one seed only, any other is a good one.
  void TakeSeed(int64_t of_run) {
    seed = of_run;
    if (script.only_seed >= 0 && seed != script.only_seed) script.curve = "good";
  }
  // Faults are switched on in this attempt.
  bool faulty() const {
    return (script.fault_attempts == 0 || attempt <= script.fault_attempts) &&
           (script.fault_rank < 0 || rank == script.fault_rank) &&
           (script.only_seed < 0 || seed == script.only_seed);
  }
};

int Train(const Job& job, Protocol& protocol);        // train and check
int Evaluate(const Job& job, Protocol& protocol);     // artifact "evaluation", evaluation.json
int Export(const Job& job, Protocol& protocol);       // artifacts "adapter" and "merged"
int WriteReport(const Job& job, Protocol& protocol);  // artifact "report"

// Says `failed` and returns 1.
int Fail(Protocol& protocol, const std::string& kind, const std::string& message);

}  // namespace scm::fake
