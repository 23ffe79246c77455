// Compiling for a GPU and keeping what comes out, with a compiler that is played.
#include "trainer/compute/cuda/kernel_image.h"

#include <gmock/gmock.h>

#include <cstring>
#include <regex>
#include <set>

#include "common/files.h"
#include "tests/fakes/temp_dir.h"
#include "tests/trainer/compute/cuda/emulated_kernels.h"

namespace scm::trainer {
namespace {

struct PlayedNvrtc {
  int minor = 0;
  std::vector<int> architectures = {80, 90, 100};
  std::set<std::string> refused;  // targets that do not compile
  std::vector<std::string> compiled;
};
PlayedNvrtc nvrtc_played;
int nvrtc_program;
constexpr char kPlayedLog[] = "kernels.cu(3): error: no such instruction\nand more\n";

int PlayedSize(void*, size_t* size) {
  *size = ("image of " + nvrtc_played.compiled.back()).size();
  return 0;
}
int PlayedBytes(void*, char* bytes) {
  const std::string image = "image of " + nvrtc_played.compiled.back();
  std::memcpy(bytes, image.data(), image.size());
  return 0;
}

NvrtcFunctions PlayedCompiler() {
  nvrtc_played = PlayedNvrtc();
  NvrtcFunctions f;
  f.version = [](int* major, int* minor) {
    *major = 13;
    *minor = nvrtc_played.minor;
    return 0;
  };
  f.count_architectures = [](int* count) {
    *count = static_cast<int>(nvrtc_played.architectures.size());
    return 0;
  };
  f.architectures = [](int* values) {
    std::copy(nvrtc_played.architectures.begin(), nvrtc_played.architectures.end(), values);
    return 0;
  };
  f.create = [](void** program, const char* source, const char*, int headers,
                const char* const* texts, const char* const* names) {
    EXPECT_STREQ(source, "#include \"trainer/compute/cuda/kernels/all.cu.h\"\n");
    EXPECT_GT(headers, 3);
    EXPECT_GT(std::strlen(texts[0]), 100u);
    EXPECT_THAT(names[0], testing::HasSubstr("trainer/compute/cuda/kernels/"));
    *program = &nvrtc_program;
    return 0;
  };
  f.destroy = [](void** program) { return *program = nullptr, 0; };
  f.compile = [](void*, int count, const char* const* options) {
    const std::string target =
        std::string(options[count - 1]).substr(strlen("--gpu-architecture="));
    nvrtc_played.compiled.push_back(target);
    return nvrtc_played.refused.count(target) != 0 ? 6 : 0;
  };
  f.log_size = [](void*, size_t* size) { return *size = sizeof kPlayedLog, 0; };
  f.log = [](void*, char* text) { return std::memcpy(text, kPlayedLog, sizeof kPlayedLog), 0; };
  f.cubin_size = PlayedSize;
  f.ptx_size = PlayedSize;
  f.cubin = PlayedBytes;
  f.ptx = PlayedBytes;
  f.error_text = [](int) { return "NVRTC_ERROR_COMPILATION"; };
  return f;
}

TEST(KernelImage, TargetsOfDevices) {
  const struct {
    int capability;
    std::set<std::string> refused;
    const char* target;
    const char* note;
  } kCases[] = {
      {80, {}, "sm_80", ""},
      {90, {}, "sm_90a", ""},
      {100, {}, "sm_100", ""},
      {89,
       {},
       "compute_80",
       "NVRTC 13.0 does not know sm_89; the kernels are PTX for compute_80, which the driver "
       "compiles at each start"},
      {130,
       {},
       "compute_100",
       "NVRTC 13.0 does not know sm_130; the kernels are PTX for compute_100, which the driver "
       "compiles at each start"},
      {100,
       {"sm_100"},
       "compute_100",
       "the CUDA kernels do not compile for sm_100: NVRTC_ERROR_COMPILATION; the kernels are PTX "
       "for compute_100, which the driver compiles at each start"},
  };
  for (const auto& c : kCases) {
    const NvrtcFunctions nvrtc = PlayedCompiler();
    nvrtc_played.refused = c.refused;
    const auto image = MakeKernelImage(nvrtc, c.capability, "");
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->target, c.target);
    EXPECT_EQ(image->bytes, std::string("image of ") + c.target);
    EXPECT_EQ(image->note, c.note);
  }
}

TEST(KernelImage, WhatCompilesForNothingIsAnErrorWithTheCompilersWords) {
  const NvrtcFunctions nvrtc = PlayedCompiler();
  nvrtc_played.refused = {"sm_80", "compute_80"};
  EXPECT_THAT(std::string(MakeKernelImage(nvrtc, 80, "").status().message()),
              testing::HasSubstr("do not compile for compute_80: NVRTC_ERROR_COMPILATION\n"
                                 "kernels.cu(3): error: no such instruction"));
  EXPECT_THAT(std::string(MakeKernelImage(nvrtc, 70, "").status().message()),
              testing::HasSubstr("NVRTC 13.0 does not know sm_70, and nothing older either"));
}

TEST(KernelImage, IsCompiledOnceForEachTargetAndVersion) {
  const fake::TempDir directory;
  const NvrtcFunctions nvrtc = PlayedCompiler();
  const std::string place = directory.path() + "/not/there/yet";
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(MakeKernelImage(nvrtc, 90, place)->bytes, "image of sm_90a");
    EXPECT_EQ(MakeKernelImage(nvrtc, 80, place)->bytes, "image of sm_80");
  }
  EXPECT_THAT(nvrtc_played.compiled, testing::ElementsAre("sm_90a", "sm_80"));
  nvrtc_played.minor = 2;
  EXPECT_EQ(MakeKernelImage(nvrtc, 90, place)->note, "");
  EXPECT_EQ(nvrtc_played.compiled.size(), 3u);
  EXPECT_EQ(ListDirectory(place)->size(), 3u);
}

TEST(KernelImage, ADamagedFileIsMadeAnew) {
  const NvrtcFunctions nvrtc = PlayedCompiler();
  const struct {
    const char* name;
    void (*damage)(std::string*);
  } kDamages[] = {
      {"cut", [](std::string* s) { s->resize(s->size() - 1); }},
      {"empty", [](std::string* s) { s->clear(); }},
      {"only a digest", [](std::string* s) { s->resize(64); }},
      {"a bit of the image", [](std::string* s) { s->back() ^= 1; }},
      {"a bit of the digest", [](std::string* s) { s->front() ^= 1; }},
      {"longer", [](std::string* s) { s->push_back('x'); }},
  };
  for (const auto& d : kDamages) {
    const fake::TempDir directory;
    ASSERT_TRUE(MakeKernelImage(nvrtc, 90, directory.path()).ok());
    const std::string file = directory.path() + "/" + ListDirectory(directory.path())->at(0);
    const std::string whole = *ReadFile(file);
    std::string content = whole;
    d.damage(&content);
    ASSERT_TRUE(WriteFileAtomically(file, content).ok());
    nvrtc_played.compiled.clear();
    EXPECT_EQ(MakeKernelImage(nvrtc, 90, directory.path())->bytes, "image of sm_90a") << d.name;
    EXPECT_EQ(nvrtc_played.compiled.size(), 1u) << d.name;
    EXPECT_EQ(*ReadFile(file), whole) << d.name;
  }
}

TEST(KernelImage, ACacheThatCannotBeWrittenIsSaid) {
  const fake::TempDir directory;
  const std::string file = directory.path() + "/file";
  ASSERT_TRUE(WriteFileAtomically(file, "in the way").ok());
  const auto image = MakeKernelImage(PlayedCompiler(), 90, file + "/cache");
  ASSERT_TRUE(image.ok());
  EXPECT_EQ(image->bytes, "image of sm_90a");
  EXPECT_THAT(image->note, testing::HasSubstr("the kernels are not kept: "));
}

TEST(KernelSources, HoldEveryKernelThatIsEmulatedAndListed) {
  const std::regex declared("__global__ void (scm_\\w+)\\(");
  std::set<std::string> names;
  for (const KernelSource& source : KernelSources()) {
    for (std::sregex_iterator i(source.text.begin(), source.text.end(), declared), end; i != end;
         ++i) {
      names.insert((*i)[1]);
    }
  }
  EXPECT_EQ(names, EmulatedLauncher::Names());
  const std::string table = *ReadFile(std::string(SCM_SOURCE_DIR) + "/docs/gpu-kernels.md");
  for (const std::string& name : names) {
    EXPECT_THAT(table, testing::HasSubstr("| `" + name + "` |")) << "make check-cuda WRITE=1";
  }
}

TEST(Nvrtc, AnAbsentCompilerIsASentence) {
  const auto opened = OpenNvrtc({"/no/such/directory"});
  if (opened.ok()) GTEST_SKIP() << "the loader finds one on this machine";
  EXPECT_EQ(std::string(opened.status().message()),
            "no NVRTC: neither libnvrtc.so.13 nor libnvrtc.so.12 can be opened in "
            "/no/such/directory or where the loader looks. The CUDA build of the torch wheel "
            "brings it (nvidia-cuda-nvrtc)");
}

}  // namespace
}  // namespace scm::trainer
