// The kernels' own sources, compiled for the emulation. Compiled alone: its words stay here.
#include "tests/trainer/compute/cuda/emulated_kernels.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/trainer/compute/cuda/device_words.h"
#include "trainer/compute/cuda/kernels/all.cu.h"

extern "C" char __start_scm_shared[], __stop_scm_shared[];

namespace scm::trainer {
namespace {

using Kernel = void (*)(const void* arguments);

template <typename Arguments, void (*kernel)(Arguments)>
void Call(const void* arguments) {
  kernel(*static_cast<const Arguments*>(arguments));
}

const std::map<std::string, Kernel>& EmulatedKernels() {
  using namespace device;
  static const auto* kernels = new std::map<std::string, Kernel>{
      {"scm_rms_norm_f32", Call<RmsNormArguments, scm_rms_norm_f32>},
      {"scm_rms_norm_bf16", Call<RmsNormArguments, scm_rms_norm_bf16>},
      {"scm_rms_norm_backward_f32_f32",
       Call<RmsNormBackwardArguments, scm_rms_norm_backward_f32_f32>},
      {"scm_rms_norm_backward_f32_bf16",
       Call<RmsNormBackwardArguments, scm_rms_norm_backward_f32_bf16>},
      {"scm_rms_norm_backward_bf16_bf16",
       Call<RmsNormBackwardArguments, scm_rms_norm_backward_bf16_bf16>},
      {"scm_rope_f32", Call<RopeArguments, scm_rope_f32>},
      {"scm_rope_bf16", Call<RopeArguments, scm_rope_bf16>},
      {"scm_swiglu_f32", Call<SwiGluArguments, scm_swiglu_f32>},
      {"scm_swiglu_bf16", Call<SwiGluArguments, scm_swiglu_bf16>},
      {"scm_swiglu_backward_f32", Call<SwiGluBackwardArguments, scm_swiglu_backward_f32>},
      {"scm_swiglu_backward_bf16", Call<SwiGluBackwardArguments, scm_swiglu_backward_bf16>},
      {"scm_cross_entropy_f32", Call<CrossEntropyArguments, scm_cross_entropy_f32>},
      {"scm_log_sum_exp_f32", Call<LogSumExpArguments, scm_log_sum_exp_f32>},
      {"scm_narrow_product_f32", Call<NarrowProductArguments, scm_narrow_product_f32>},
      {"scm_narrow_product_bf16", Call<NarrowProductArguments, scm_narrow_product_bf16>},
      {"scm_tall_product_f32", Call<TallProductArguments, scm_tall_product_f32>},
      {"scm_tall_product_bf16", Call<TallProductArguments, scm_tall_product_bf16>},
      {"scm_add_low_rank_f32", Call<AddLowRankArguments, scm_add_low_rank_f32>},
      {"scm_add_low_rank_bf16", Call<AddLowRankArguments, scm_add_low_rank_bf16>},
      {"scm_restore_nf4_f32", Call<RestoreArguments, scm_restore_nf4_f32>},
      {"scm_restore_nf4_bf16", Call<RestoreArguments, scm_restore_nf4_bf16>},
      {"scm_restore_int8_f32", Call<RestoreArguments, scm_restore_int8_f32>},
      {"scm_restore_int8_bf16", Call<RestoreArguments, scm_restore_int8_bf16>},
      {"scm_squares_f32", Call<SquaresArguments, scm_squares_f32>},
      {"scm_adamw_f32", Call<AdamWArguments, scm_adamw_f32>},
  };
  return *kernels;
}

}  // namespace

absl::Status EmulatedLauncher::Launch(const char* kernel, Grid grid, const void* arguments) {
  const auto found = EmulatedKernels().find(kernel);
  if (found == EmulatedKernels().end()) {
    return absl::NotFoundError(absl::StrCat("there is no kernel ", kernel));
  }
  emulation::SetSharedMemory(__start_scm_shared, __stop_scm_shared);
  launched_.insert(kernel);
  emulation::RunBlocks({grid.x, grid.y, 1}, device::kThreads, seed_++,
                       [&] { found->second(arguments); });
  return absl::OkStatus();
}

std::set<std::string> EmulatedLauncher::Names() {
  std::set<std::string> names;
  for (const auto& [name, kernel] : EmulatedKernels()) names.insert(name);
  return names;
}

}  // namespace scm::trainer
