#include "trainer/protocol/torch_runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>

#include <exception>
#include <new>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace scm::trainer {
namespace {

absl::Status OutOfMemory(absl::string_view what, const std::string& advice) {
  return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", what, advice));
}

}  // namespace

absl::StatusOr<std::string> PrepareTorch(const JobResources& resources) {
  if (resources.cpus > 0) at::set_num_threads(static_cast<int>(resources.cpus));
  // A setting of each thread, inherited by those that are made later: the pool of kernels, too.
  at::globalContext().setFlushDenormal(true);
  if (resources.gpus.empty()) return std::string("cpu");
  if (at::globalContext().hasCUDA()) return std::string("cuda:0");
  return absl::InvalidArgumentError(
      "resources.gpus names a GPU, but libtorch sees none: install a driver and a CUDA build of "
      "libtorch on this worker, or set resources.gpus to 0");
}

absl::Status TorchGuarded(const std::function<absl::Status()>& work, const std::string& advice) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(error.what_without_backtrace(), advice);
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    // The CPU allocator throws a plain error.
    if (absl::StrContains(message, "can't allocate memory") ||
        absl::StrContains(message, "out of memory")) {
      return OutOfMemory(message, advice);
    }
    return absl::InternalError(message);
  } catch (const std::bad_alloc& error) {
    return OutOfMemory("the host has no more", advice);
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace scm::trainer
