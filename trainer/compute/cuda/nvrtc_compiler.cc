#include "trainer/compute/cuda/nvrtc_compiler.h"

#include <dlfcn.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

// Of the CUDA wheels: torch 2.11 and later.
constexpr const char* kNvrtcNames[] = {"libnvrtc.so.13", "libnvrtc.so.12"};

// The compiler opens its builtins by name alone, which finds them once they are loaded.
void* OpenIn(const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> files = ListDirectory(directory);
  if (!files.ok()) return nullptr;
  for (const std::string& file : *files) {
    if (absl::StartsWith(file, "libnvrtc-builtins.so.")) {
      dlopen(absl::StrCat(directory, "/", file).c_str(), RTLD_NOW);
    }
  }
  for (const char* name : kNvrtcNames) {
    if (void* library = dlopen(absl::StrCat(directory, "/", name).c_str(), RTLD_NOW)) {
      return library;
    }
  }
  return nullptr;
}

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

absl::StatusOr<NvrtcFunctions> ResolveNvrtc(void* library) {
  NvrtcFunctions f;
  const bool all = Resolve(library, "nvrtcVersion", &f.version) &&
                   Resolve(library, "nvrtcGetNumSupportedArchs", &f.count_architectures) &&
                   Resolve(library, "nvrtcGetSupportedArchs", &f.architectures) &&
                   Resolve(library, "nvrtcCreateProgram", &f.create) &&
                   Resolve(library, "nvrtcDestroyProgram", &f.destroy) &&
                   Resolve(library, "nvrtcCompileProgram", &f.compile) &&
                   Resolve(library, "nvrtcGetProgramLogSize", &f.log_size) &&
                   Resolve(library, "nvrtcGetProgramLog", &f.log) &&
                   Resolve(library, "nvrtcGetCUBINSize", &f.cubin_size) &&
                   Resolve(library, "nvrtcGetCUBIN", &f.cubin) &&
                   Resolve(library, "nvrtcGetPTXSize", &f.ptx_size) &&
                   Resolve(library, "nvrtcGetPTX", &f.ptx) &&
                   Resolve(library, "nvrtcGetErrorString", &f.error_text);
  if (all) return f;
  return absl::FailedPreconditionError(absl::StrCat(
      "the NVRTC library that was found is too old: ", dlerror(),
      ". Install the CUDA build of the torch wheel, which brings a library that is not"));
}

absl::Status NvrtcStatus(const NvrtcFunctions& nvrtc, int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("NVRTC cannot ", what, ": ", nvrtc.error_text(result)));
}

// A program ends with its scope.
class NvrtcProgram {
 public:
  explicit NvrtcProgram(const NvrtcFunctions& nvrtc) : nvrtc_(nvrtc) {}
  ~NvrtcProgram() {
    if (program_ != nullptr) nvrtc_.destroy(&program_);
  }
  NvrtcProgram(const NvrtcProgram&) = delete;
  NvrtcProgram& operator=(const NvrtcProgram&) = delete;

  absl::Status Create(const std::vector<KernelSource>& sources) {
    std::vector<const char*> names, texts;
    for (const KernelSource& source : sources) {
      names.push_back(source.name.c_str());
      texts.push_back(source.text.c_str());
    }
    const std::string main = absl::StrCat("#include \"", kAllKernels, "\"\n");
    const int count = static_cast<int>(names.size());
    return NvrtcStatus(
        nvrtc_,
        nvrtc_.create(&program_, main.c_str(), "scm_kernels.cu", count, texts.data(), names.data()),
        "take the kernels' sources");
  }
  int Compile(const std::vector<std::string>& options) {
    std::vector<const char*> words;
    for (const std::string& option : options) words.push_back(option.c_str());
    return nvrtc_.compile(program_, static_cast<int>(words.size()), words.data());
  }
  using Size = int (*)(void*, size_t*);
  using Bytes = int (*)(void*, char*);
  absl::StatusOr<std::string> Get(Size size_of, Bytes bytes_of, absl::string_view what) {
    size_t size = 0;
    SCM_RETURN_IF_ERROR(NvrtcStatus(nvrtc_, size_of(program_, &size), what));
    std::string bytes(size, '\0');
    SCM_RETURN_IF_ERROR(NvrtcStatus(nvrtc_, bytes_of(program_, bytes.data()), what));
    return bytes;
  }

 private:
  const NvrtcFunctions& nvrtc_;
  void* program_ = nullptr;
};

}  // namespace

std::string NvrtcVersion::text() const { return absl::StrCat(major, ".", minor); }

absl::StatusOr<NvrtcFunctions> OpenNvrtc(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    if (void* library = OpenIn(directory)) return ResolveNvrtc(library);
  }
  for (const char* name : kNvrtcNames) {
    if (void* library = dlopen(name, RTLD_NOW)) return ResolveNvrtc(library);
  }
  return absl::NotFoundError(absl::StrCat(
      "no NVRTC: neither ", kNvrtcNames[0], " nor ", kNvrtcNames[1], " can be opened",
      directories.empty() ? "" : absl::StrCat(" in ", absl::StrJoin(directories, ", "), " or"),
      " where the loader looks. The CUDA build of the torch wheel brings it (nvidia-cuda-nvrtc)"));
}

absl::StatusOr<NvrtcVersion> VersionOf(const NvrtcFunctions& nvrtc) {
  NvrtcVersion version;
  SCM_RETURN_IF_ERROR(
      NvrtcStatus(nvrtc, nvrtc.version(&version.major, &version.minor), "say its version"));
  return version;
}

absl::StatusOr<std::vector<int>> ArchitecturesOf(const NvrtcFunctions& nvrtc) {
  int count = 0;
  SCM_RETURN_IF_ERROR(
      NvrtcStatus(nvrtc, nvrtc.count_architectures(&count), "count its architectures"));
  std::vector<int> values(static_cast<size_t>(count));
  SCM_RETURN_IF_ERROR(
      NvrtcStatus(nvrtc, nvrtc.architectures(values.data()), "list its architectures"));
  return values;
}

const std::vector<std::string>& NvrtcOptions() {
  static const auto* options = new std::vector<std::string>{"--std=c++17", "--ptxas-options=-v"};
  return *options;
}

absl::StatusOr<CompiledKernels> CompileKernels(const NvrtcFunctions& nvrtc,
                                               const std::vector<KernelSource>& sources,
                                               const std::string& target) {
  NvrtcProgram program(nvrtc);
  SCM_RETURN_IF_ERROR(program.Create(sources));
  std::vector<std::string> options = NvrtcOptions();
  options.push_back(absl::StrCat("--gpu-architecture=", target));
  const int result = program.Compile(options);
  CompiledKernels kernels;
  SCM_ASSIGN_OR_RETURN(kernels.log, program.Get(nvrtc.log_size, nvrtc.log, "give its log"));
  if (result != 0) {
    return absl::InternalError(absl::StrCat("the CUDA kernels do not compile for ", target, ": ",
                                            nvrtc.error_text(result), "\n", kernels.log.c_str()));
  }
  const bool ptx = absl::StartsWith(target, "compute_");
  SCM_ASSIGN_OR_RETURN(kernels.image,
                       ptx ? program.Get(nvrtc.ptx_size, nvrtc.ptx, "give its PTX")
                           : program.Get(nvrtc.cubin_size, nvrtc.cubin, "give its cubin"));
  return kernels;
}

}  // namespace scm::trainer
