#include "bench/side.h"

#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "common/status_macros.h"
#include "model/model_source.h"
#include "model/open_model.h"

namespace scm::bench {

void SideOptions::AddTo(CLI::App* app) {
  app->add_option("--model", model)->required();
  app->add_option("--precision", precision)->check(CLI::IsMember({"fp32", "bf16"}));
  app->add_option("--threads", threads);
}

absl::StatusOr<std::unique_ptr<trainer::LlamaModel>> LoadModel(const SideOptions& options) {
  at::set_num_threads(options.threads);
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::ModelSource> source,
                       model::OpenModel(options.model));
  return trainer::MakeLlamaModel(*source, trainer::PrecisionByName(options.precision), "cpu");
}

absl::Status AnswerLines(const std::function<absl::StatusOr<Json>(const std::string&)>& answer) {
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    SCM_ASSIGN_OR_RETURN(const Json result, answer(line));
    std::cout << DumpJson(result) << std::endl;
  }
  return absl::OkStatus();
}

int ExitStatus(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace scm::bench
