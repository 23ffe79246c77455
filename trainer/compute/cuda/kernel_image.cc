#include "trainer/compute/cuda/kernel_image.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::trainer {
namespace {

constexpr size_t kDigestLetters = 64;

std::string CacheFile(const std::string& directory, const NvrtcVersion& version,
                      const std::string& target) {
  Sha256 key;
  key.Update(absl::StrCat("NVRTC ", version.text(), " ", target, " ",
                          absl::StrJoin(NvrtcOptions(), " "), "\n"));
  for (const KernelSource& source : KernelSources()) {
    key.Update(absl::StrCat(source.name, " ", source.text.size(), "\n", source.text));
  }
  return absl::StrCat(directory, "/", key.Finish(), ".kernels");
}

// "" unless there is a whole one.
std::string ReadCached(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (!content.ok() || content->size() <= kDigestLetters) return "";
  std::string image = content->substr(kDigestLetters);
  return Sha256Hex(image) == content->substr(0, kDigestLetters) ? image : "";
}

absl::Status WriteCached(const std::string& directory, const std::string& path,
                         const std::string& image) {
  SCM_RETURN_IF_ERROR(MakeDirectories(directory));
  return WriteFileAtomically(path, absl::StrCat(Sha256Hex(image), image));
}

// Of `target`, from the cache or compiled.
absl::StatusOr<KernelImage> ImageOf(const NvrtcFunctions& nvrtc, const NvrtcVersion& version,
                                    const std::string& target, const std::string& directory) {
  KernelImage image;
  image.target = target;
  const std::string path = directory.empty() ? "" : CacheFile(directory, version, target);
  if (!path.empty()) image.bytes = ReadCached(path);
  if (!image.bytes.empty()) return image;
  SCM_ASSIGN_OR_RETURN(CompiledKernels kernels, CompileKernels(nvrtc, KernelSources(), target));
  image.bytes = std::move(kernels.image);
  if (path.empty()) return image;
  const absl::Status kept = WriteCached(directory, path, image.bytes);
  if (!kept.ok()) image.note = absl::StrCat("the kernels are not kept: ", kept.message());
  return image;
}

// Hopper's own instructions need the architecture's full name.
std::string CubinTarget(int capability) {
  return capability == 90 ? "sm_90a" : absl::StrCat("sm_", capability);
}

std::string FirstLine(absl::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

}  // namespace

absl::StatusOr<KernelImage> MakeKernelImage(const NvrtcFunctions& nvrtc, int capability,
                                            const std::string& cache_directory) {
  SCM_ASSIGN_OR_RETURN(const NvrtcVersion version, VersionOf(nvrtc));
  SCM_ASSIGN_OR_RETURN(const std::vector<int> known, ArchitecturesOf(nvrtc));
  const std::string target = CubinTarget(capability);
  std::string why = absl::StrCat("NVRTC ", version.text(), " does not know ", target);
  if (std::find(known.begin(), known.end(), capability) != known.end()) {
    absl::StatusOr<KernelImage> image = ImageOf(nvrtc, version, target, cache_directory);
    if (image.ok()) return image;
    why = FirstLine(image.status().message());
  }
  const auto above = std::upper_bound(known.begin(), known.end(), capability);
  if (above == known.begin()) {
    return absl::FailedPreconditionError(
        absl::StrCat(why, ", and nothing older either; take a torch wheel of an older CUDA"));
  }
  const std::string ptx = absl::StrCat("compute_", *(above - 1));
  absl::StatusOr<KernelImage> image = ImageOf(nvrtc, version, ptx, cache_directory);
  if (!image.ok()) return image;
  image->note = absl::StrCat(why, "; the kernels are PTX for ", ptx,
                             ", which the driver compiles at each start",
                             image->note.empty() ? "" : "; ", image->note);
  return image;
}

std::string KernelCacheDirectory() {
  if (const char* own = std::getenv("SCM_KERNEL_CACHE")) return own;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return absl::StrCat(cache, "/scm/kernels");
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? absl::StrCat(home, "/.cache/scm/kernels") : "";
}

}  // namespace scm::trainer
