#include "bench/side.h"

#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "common/resident_memory.h"
#include "common/status_macros.h"
#include "model/model_source.h"
#include "model/open_model.h"

namespace scm::bench {

void SideOptions::AddTo(CLI::App* app) {
  app->add_option("--model", model)->required();
  app->add_option("--precision", precision)->check(CLI::IsMember({"fp32", "bf16"}));
  app->add_option("--threads", threads);
  app->add_option("--device", device, "cpu or cuda:0");
  app->add_option("--quantize", quantize)->check(CLI::IsMember({"none", "nf4", "int8"}));
}

trainer::BaseQuantization QuantizationOf(const SideOptions& options) {
  using Kind = trainer::BaseQuantization::Kind;
  if (options.quantize == "nf4") return {Kind::kNf4};
  return {options.quantize == "int8" ? Kind::kInt8 : Kind::kNone};
}

namespace {

bool OnCpu(const std::string& device) { return c10::Device(device).is_cpu(); }

c10::DeviceAllocator& AllocatorOf(const std::string& device) {
  return *c10::getDeviceAllocator(c10::Device(device).type());
}

}  // namespace

void Synchronize(const std::string& device) {
  if (OnCpu(device)) return;
  const c10::Device where(device);
  c10::impl::VirtualGuardImpl(where.type()).synchronizeDevice(where.index());
}

int64_t PeakBytes(const std::string& device) {
  if (OnCpu(device)) return PeakResidentBytes();
  const auto stats = AllocatorOf(device).getDeviceStats(c10::Device(device).index());
  return stats.reserved_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
}

void ForgetPeak(const std::string& device) {
  if (OnCpu(device)) return;
  AllocatorOf(device).emptyCache();
  AllocatorOf(device).resetPeakStats(c10::Device(device).index());
}

absl::StatusOr<std::unique_ptr<trainer::LlamaModel>> LoadModel(const SideOptions& options) {
  at::set_num_threads(options.threads);
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::ModelSource> source,
                       model::OpenModel(options.model));
  return trainer::MakeLlamaModel(*source, trainer::PrecisionByName(options.precision),
                                 options.device, QuantizationOf(options));
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
