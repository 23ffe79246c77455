// What the worker knows of its host: GPUs, flags, addresses.
#include <cstdlib>

#include "common/files.h"
#include "common/version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/worker/support.h"
#include "worker/host/gpu_book.h"
#include "worker/host/gpu_inventory.h"
#include "worker/link/grpc_client.h"
#include "worker/options.h"

namespace scm::worker {
namespace {

TEST(GpuTest, ShortModelNames) {
  const std::pair<const char*, const char*> cases[] = {
      {"NVIDIA H200", "H200"},
      {"NVIDIA H100 80GB HBM3", "H100"},
      {"NVIDIA H100 PCIe", "H100"},
      {"NVIDIA A100-SXM4-80GB", "A100"},
      {"A100-PCIE-40GB", "A100"},
      {"Tesla T4", "T4"},
      {"Tesla V100-SXM2-16GB", "V100"},
      {"NVIDIA L40S", "L40S"},
      {"NVIDIA A10G", "A10G"},
      {"NVIDIA B200", "B200"},
      {"NVIDIA GeForce RTX 4090", "RTX4090"},
      {"NVIDIA RTX A6000", "A6000"},
      {"NVIDIA RTX 6000 Ada Generation", "RTX6000Ada"},
      {"", "GPU"},
  };
  for (const auto& [product, model] : cases) EXPECT_EQ(GpuModel(product), model) << product;
}

TEST(GpuTest, ReadsTheManagementLibrary) {
  const auto inventory = MakeGpuInventory(Binary("libscm_fake_nvml.so"));
  const std::vector<Gpu> gpus = inventory->List();
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0].model, "H200");
  EXPECT_EQ(gpus[1].product, "NVIDIA A100-SXM4-80GB");
  EXPECT_EQ(gpus[0].memory_bytes, int64_t{141} << 30);
  EXPECT_EQ(gpus[1].index, 1);
  EXPECT_EQ(gpus[1].model, "A100");
  EXPECT_EQ(gpus[1].uuid, "GPU-1");
  const std::vector<GpuSample> samples = inventory->Sample();
  ASSERT_EQ(samples.size(), 1u) << "only where it can be read";
  EXPECT_DOUBLE_EQ(samples[0].utilization_ratio, 0.37);
  EXPECT_EQ(samples[0].memory_used_bytes, int64_t{1} << 30);
}

// Of a GPU that is cut into slices CUDA sees the slices alone.
TEST(GpuTest, SlicesAreGpusOfTheirOwn) {
  const auto inventory = MakeGpuInventory(Binary("libscm_fake_nvml_mig.so"));
  const std::vector<Gpu> gpus = inventory->List();
  ASSERT_EQ(gpus.size(), 3u);
  EXPECT_EQ(gpus[0].product, "NVIDIA H200 MIG 3g.71gb");
  EXPECT_EQ(gpus[0].model, "H200");
  EXPECT_EQ(gpus[0].uuid, "MIG-10");
  EXPECT_EQ(gpus[1].uuid, "MIG-12");
  EXPECT_EQ(gpus[0].memory_bytes, int64_t{69} << 30);
  EXPECT_EQ(gpus[2].uuid, "GPU-1");
  std::vector<int> indexes;
  for (const Gpu& gpu : gpus) indexes.push_back(gpu.index);
  EXPECT_EQ(indexes, (std::vector<int>{2, 3, 1})) << "a whole GPU keeps the driver's index";
  const std::pair<const char*, std::vector<int>> cases[] = {
      {nullptr, {2, 3, 1}},  {"0", {2, 3}},   {"1", {1}},
      {"1,0", {1, 2, 3}},    {"MIG-12", {3}}, {"2", {}},
      {"GPU-1,0", {1, 2, 3}}};
  for (const auto& [visible, expected] : cases) {
    std::vector<int> seen;
    for (const Gpu& gpu : VisibleGpus(gpus, visible)) seen.push_back(gpu.index);
    EXPECT_EQ(seen, expected) << (visible == nullptr ? "(unset)" : visible);
  }
}

// SCM_FAKE_GPUS, for as long as a test lasts.
class FakeGpus {
 public:
  FakeGpus() {
    There("01");
    setenv("SCM_FAKE_GPUS", (directory_ / "gpus").c_str(), 1);
  }
  ~FakeGpus() { unsetenv("SCM_FAKE_GPUS"); }
  void There(const char* digits) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / "gpus", digits).ok());
  }

 private:
  fake::TempDir directory_;
};

std::vector<std::string> UuidsOf(const std::optional<std::vector<Gpu>>& gpus) {
  std::vector<std::string> uuids;
  for (const Gpu& gpu : gpus.value_or(std::vector<Gpu>())) uuids.push_back(gpu.uuid);
  return uuids;
}

TEST(GpuTest, OneThatVanishesIsNotListedAndComesBack) {
  FakeGpus gpus;
  const auto inventory = MakeGpuInventory(Binary("libscm_fake_nvml.so"));
  EXPECT_THAT(UuidsOf(inventory->Look()), testing::ElementsAre("GPU-0", "GPU-1"));
  gpus.There("1");
  EXPECT_THAT(UuidsOf(inventory->Look()), testing::ElementsAre("GPU-1"));
  gpus.There("");
  EXPECT_EQ(inventory->Look(), std::nullopt) << "a library that does not answer is no empty host";
  gpus.There("0");
  EXPECT_THAT(UuidsOf(inventory->Look()), testing::ElementsAre("GPU-0"));
  gpus.There("01");
  EXPECT_THAT(UuidsOf(inventory->Look()), testing::ElementsAre("GPU-0", "GPU-1"));
}

TEST(GpuTest, AGpuKeepsItsIndexWhileOthersComeAndGo) {
  const Gpu a{0, "H200", 1, "GPU-a", "NVIDIA H200"}, b{1, "H200", 1, "GPU-b", "NVIDIA H200"},
      b_first{0, "H200", 1, "GPU-b", "NVIDIA H200"}, c_first{0, "L4", 1, "GPU-c", "NVIDIA L4"};
  const auto indexes = [](const GpuBook& book) {
    std::vector<int> indexes;
    for (const Gpu& gpu : book.offered()) indexes.push_back(gpu.index);
    return indexes;
  };
  for (const char* visible : {static_cast<const char*>(nullptr), "0,1", "GPU-a,GPU-b,GPU-c"}) {
    SCOPED_TRACE(visible == nullptr ? "(unset)" : visible);
    GpuBook book(visible);
    book.Observe({a, b});
    EXPECT_THAT(indexes(book), testing::ElementsAre(0, 1));
    EXPECT_THAT(book.Observe({b_first}),
                testing::ElementsAre("GPU 0 (NVIDIA H200, GPU-a) is gone: the driver does not list "
                                     "it any more"));
    EXPECT_THAT(indexes(book), testing::ElementsAre(1));
    EXPECT_EQ(book.UuidsOf({0, 1, 7}), (std::vector<std::string>{"GPU-a", "GPU-b", ""}));
    EXPECT_EQ(book.Missing({"GPU-b", ""}), "");
    EXPECT_EQ(book.Missing({"GPU-b", "GPU-a"}), "GPU 0 (NVIDIA H200, GPU-a) is gone");
    EXPECT_EQ(book.IndexOf("GPU-b"), 1);
    EXPECT_TRUE(book.Observe({b_first}).empty()) << "said once";
    EXPECT_THAT(book.Observe({a, b}), testing::ElementsAre("GPU 0 (NVIDIA H200, GPU-a) is there"));
    EXPECT_EQ(book.Missing({"GPU-b", "GPU-a"}), "");
  }
  GpuBook one("1");
  one.Observe({a, b});
  EXPECT_THAT(one.Observe({b_first}), testing::IsEmpty());
  EXPECT_THAT(indexes(one), testing::ElementsAre(1)) << "which the driver counts as 0 now";
  // One that another daemon has granted keeps its index; a new one gets a free one.
  GpuBook again;
  again.Keep("GPU-b", 1);
  again.Keep("GPU-x", 0);
  EXPECT_EQ(again.Missing({"GPU-x"}), "") << "nobody has looked yet";
  again.Observe({c_first, b});
  EXPECT_EQ(again.Missing({"GPU-x"}), "the GPU GPU-x is gone");
  EXPECT_EQ(again.IndexOf("GPU-b"), 1);
  EXPECT_EQ(again.IndexOf("GPU-c"), 2);
}

TEST(GpuTest, NoLibraryMeansNoGpus) {
  const auto inventory = MakeGpuInventory("libdoes-not-exist.so");
  EXPECT_TRUE(inventory->List().empty());
  EXPECT_TRUE(inventory->Sample().empty());
}

TEST(GpuTest, HonoursCudaVisibleDevices) {
  const std::vector<Gpu> gpus = {
      {0, "H200", 1, "GPU-aa"}, {1, "H200", 1, "GPU-ab"}, {2, "H200", 1, "GPU-bb"}};
  const std::pair<const char*, std::vector<int>> cases[] = {
      {nullptr, {0, 1, 2}}, {"", {}},       {"2,0", {2, 0}}, {"1", {1}}, {"0,7,1", {0}},
      {"GPU-bb,1", {2, 1}}, {"GPU-a", {0}}, {"none", {}}};
  for (const auto& [visible, expected] : cases) {
    std::vector<int> indexes;
    for (const Gpu& gpu : VisibleGpus(gpus, visible)) indexes.push_back(gpu.index);
    EXPECT_EQ(indexes, expected) << (visible == nullptr ? "(unset)" : visible);
  }
}

TEST(AddressTest, OnlyThisHostCountsAsLoopback) {
  for (const char* address : {"127.0.0.1:7070", "127.8.9.10:1", "localhost:7070", "LOCALHOST:1",
                              "[::1]:7070", "unix:/run/scm.sock"}) {
    EXPECT_TRUE(IsOnThisHost(address)) << address;
  }
  for (const char* address :
       {"10.0.0.1:7070", "coordinator:7070", "127.evil.example:7070", "127.0.0.1.example:7070",
        "127.0.0.999:1", "[::2]:7070", "localhost.example:1", "0.0.0.0:7070", ""}) {
    EXPECT_FALSE(IsOnThisHost(address)) << address;
  }
}

TEST(AddressTest, NoTokenInTheClear) {
  const absl::Status status = MakeGrpcClient({"coordinator.example:7070", "", ""}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--tls-ca"));
}

ParsedOptions Parse(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "scm-worker");
  return ParseWorkerOptions(static_cast<int>(flags.size()), flags.data());
}

TEST(OptionsTest, Defaults) {
  const ParsedOptions parsed = Parse({"--work-dir", "here"});
  ASSERT_FALSE(parsed.exit);
  const WorkerOptions& options = parsed.options;
  EXPECT_EQ(options.work_dir[0], '/');
  EXPECT_EQ(options.cpus, static_cast<int>(AffinityCores().size()));
  EXPECT_EQ(options.cores, AffinityCores()) << "all of them are offered, so pinning is safe";
  EXPECT_EQ(options.orphan_timeout, absl::Minutes(10));
  EXPECT_TRUE(options.allowed.empty());
}

TEST(OptionsTest, AllFlags) {
  const ParsedOptions parsed =
      Parse({"--coordinator",    "a:1",     "--token-file",     "t",   "--tls-ca",        "c",
             "--work-dir",       "/w",      "--cpus",           "3",   "--allow-trainer", "/a/b",
             "--allow-trainer",  "/c/../d", "--orphan-timeout", "2.5", "--cpu-list",      "4-5,9",
             "--min-free-bytes", "7"});
  ASSERT_FALSE(parsed.exit);
  const WorkerOptions& options = parsed.options;
  EXPECT_EQ(options.coordinator, "a:1");
  EXPECT_EQ(options.token_file, "t");
  EXPECT_EQ(options.tls_ca, "c");
  EXPECT_EQ(options.cpus, 3);
  EXPECT_EQ(options.cores, (std::vector<int>{4, 5, 9}));
  EXPECT_EQ(options.allowed, (std::vector<std::string>{"/a/b", "/d"}));
  EXPECT_EQ(options.orphan_timeout, absl::Seconds(2.5));
  EXPECT_EQ(options.min_free_bytes, 7);
}

TEST(OptionsTest, AShareOfTheCoresIsNotPinned) {
  const int more = static_cast<int>(AffinityCores().size()) + 1;
  const ParsedOptions parsed = Parse({"--work-dir", "/w", "--cpus", std::to_string(more).c_str()});
  ASSERT_FALSE(parsed.exit);
  EXPECT_TRUE(parsed.options.cores.empty());
}

TEST(OptionsTest, BadUsage) {
  for (const std::vector<const char*>& flags :
       std::vector<std::vector<const char*>>{{},
                                             {"--work-dir", "/w", "--cpus", "0"},
                                             {"--work-dir", "/w", "--orphan-timeout", "-1"},
                                             {"--work-dir", "/w", "--cpu-list", "3-1"},
                                             {"--work-dir", "/w", "--unknown"}}) {
    const ParsedOptions parsed = Parse(flags);
    EXPECT_TRUE(parsed.exit);
    EXPECT_EQ(parsed.exit_code, 2);
  }
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
  testing::internal::CaptureStdout();
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::HasSubstr(kVersion));
}

TEST(OptionsTest, CoreLists) {
  EXPECT_EQ(*ParseCoreList("0-3,8"), (std::vector<int>{0, 1, 2, 3, 8}));
  EXPECT_EQ(*ParseCoreList(""), std::vector<int>{});
  for (const char* bad : {"a", "1-", "-1", "2-1", "99999", "1-2-3"}) {
    EXPECT_FALSE(ParseCoreList(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace scm::worker
