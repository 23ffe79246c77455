#include "bench/launch_gaps.h"

#include <cupti.h>
#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace scm::bench {
namespace {

constexpr size_t kBufferBytes = size_t{8} << 20;

// CUPTI calls back without a word of ours: one recording a process.
struct Recording {
  std::mutex mutex;
  std::vector<BusySpan> spans;
  decltype(&cuptiActivityGetNextRecord) next = nullptr;
};

Recording& TheRecording() {
  static auto* recording = new Recording;
  return *recording;
}

void CUPTIAPI GiveBuffer(uint8_t** buffer, size_t* size, size_t* records) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kBufferBytes));
  *size = *buffer == nullptr ? 0 : kBufferBytes;
  *records = 0;  // as many as fit
}

template <typename Record>
BusySpan SpanOf(const CUpti_Activity* record) {
  const auto* one = reinterpret_cast<const Record*>(record);
  return {one->start, one->end};
}

void CUPTIAPI TakeBuffer(CUcontext, uint32_t, uint8_t* buffer, size_t, size_t valid) {
  Recording& recording = TheRecording();
  const std::lock_guard<std::mutex> lock(recording.mutex);
  CUpti_Activity* record = nullptr;
  while (valid > 0 && recording.next(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      recording.spans.push_back(SpanOf<CUpti_ActivityKernel10>(record));
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      recording.spans.push_back(SpanOf<CUpti_ActivityMemcpy6>(record));
    } else if (record->kind == CUPTI_ACTIVITY_KIND_MEMSET) {
      recording.spans.push_back(SpanOf<CUpti_ActivityMemset4>(record));
    }
  }
  std::free(buffer);
}

struct Cupti {
  decltype(&cuptiActivityRegisterCallbacks) callbacks = nullptr;
  decltype(&cuptiActivityEnable) enable = nullptr;
  decltype(&cuptiActivityDisable) disable = nullptr;
  decltype(&cuptiActivityFlushAll) flush = nullptr;
};

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

absl::StatusOr<Cupti> OpenCupti() {
  void* const library = dlopen("libcupti.so.13", RTLD_NOW);
  if (library == nullptr) return absl::NotFoundError(absl::StrCat("no CUPTI: ", dlerror()));
  Cupti cupti;
  const bool all = Resolve(library, "cuptiActivityRegisterCallbacks", &cupti.callbacks) &&
                   Resolve(library, "cuptiActivityEnable", &cupti.enable) &&
                   Resolve(library, "cuptiActivityDisable", &cupti.disable) &&
                   Resolve(library, "cuptiActivityFlushAll", &cupti.flush) &&
                   Resolve(library, "cuptiActivityGetNextRecord", &TheRecording().next);
  if (!all) return absl::NotFoundError("libcupti.so.13 lacks what records activities");
  return cupti;
}

absl::Status Say(CUptiResult result, const char* what) {
  if (result == CUPTI_SUCCESS) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("CUPTI cannot ", what, ": error ", result));
}

constexpr CUpti_ActivityKind kKinds[] = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                         CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET};

}  // namespace

absl::StatusOr<LaunchGaps> MeasureLaunchGaps(const std::function<absl::Status()>& work) {
  SCM_ASSIGN_OR_RETURN(const Cupti cupti, OpenCupti());
  SCM_RETURN_IF_ERROR(Say(cupti.callbacks(GiveBuffer, TakeBuffer), "hand out buffers"));
  Recording& recording = TheRecording();
  recording.spans.clear();
  for (const CUpti_ActivityKind kind : kKinds) {
    SCM_RETURN_IF_ERROR(Say(cupti.enable(kind), "record what a GPU does"));
  }
  const absl::Status worked = work();
  for (const CUpti_ActivityKind kind : kKinds) cupti.disable(kind);
  SCM_RETURN_IF_ERROR(Say(cupti.flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED), "give its records"));
  SCM_RETURN_IF_ERROR(worked);
  const std::lock_guard<std::mutex> lock(recording.mutex);
  LaunchGaps gaps{BusyTimeOf(recording.spans), static_cast<int64_t>(recording.spans.size())};
  if (gaps.time.whole == 0) return absl::InternalError("CUPTI saw nothing run");
  return gaps;
}

}  // namespace scm::bench
