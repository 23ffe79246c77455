#include "trainer/compute/quantized_cache.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "tests/fakes/temp_dir.h"
#include "tests/trainer/compute/support.h"

namespace scm::trainer {
namespace {

using testing::SizeIs;
using Kind = BaseQuantization::Kind;

const BaseQuantization kNf4{Kind::kNf4, true}, kNf4Plain{Kind::kNf4, false}, kInt8{Kind::kInt8};

class Cache : public testing::Test {
 protected:
  // Logits of a model whose weights come from `seed`, through a cache for the model `sha256`.
  at::Tensor LogitsOf(uint64_t seed, const std::string& sha256, const BaseQuantization& how) {
    const FakeSource source(SmallConfig(), seed);
    QuantizedCache cache(directory(), sha256);
    auto model = MakeLlamaModelWith(source, Precision::kFloat32, "cpu", MakeCpuKernels(), how,
                                    sha256.empty() ? nullptr : &cache);
    EXPECT_TRUE(model.ok()) << model.status();
    return (*model)->Logits(RowsOfLengths({7, 12}, SmallConfig().vocabulary, 2)).value();
  }
  std::string directory() const { return root_.path() + "/quantized"; }
  std::vector<std::string> Files(const char* end = ".safetensors") const {
    std::vector<std::string> files;
    for (const std::string& name : ListDirectory(directory()).value_or(files)) {
      if (absl::EndsWith(name, end)) files.push_back(directory() + "/" + name);
    }
    return files;
  }
  fake::TempDir root_;
};

// The second source has other layers, but is said to be the same model: what its layers hold can
// only come from the file.
TEST_F(Cache, WhoComesLaterReadsWhatWasMade) {
  for (const BaseQuantization& how : {kNf4, kNf4Plain, kInt8}) {
    FakeSource second(SmallConfig(), 5);
    for (float& weight : second.values("model.layers.0.mlp.up_proj.weight")) weight = 1;
    at::Tensor logits[2];
    for (int i = 0; i < 2; ++i) {
      QuantizedCache cache(directory(), "m");
      const FakeSource first(SmallConfig(), 5);
      auto model = MakeLlamaModelWith(i == 0 ? first : second, Precision::kFloat32, "cpu",
                                      MakeCpuKernels(), how, &cache);
      ASSERT_TRUE(model.ok()) << model.status();
      EXPECT_EQ(cache.has_file(), i == 1);
      logits[i] = (*model)->Logits(RowsOfLengths({9}, SmallConfig().vocabulary, 2)).value();
    }
    EXPECT_TRUE(SameBits(logits[0], logits[1])) << QuantizationName(how);
  }
  EXPECT_THAT(Files(), SizeIs(3)) << "one for each way of quantising";
}

TEST_F(Cache, WhatIsDamagedIsMadeAnew) {
  const at::Tensor expected = LogitsOf(5, "m", kNf4);
  ASSERT_THAT(Files(), SizeIs(1));
  const std::string path = Files()[0], content = ReadFile(path).value();
  std::string flipped = content;
  flipped[content.size() - 9] ^= 1;
  for (const std::string& damaged :
       {flipped, content.substr(0, content.size() / 2), std::string()}) {
    ASSERT_TRUE(WriteFileAtomically(path, damaged).ok());
    EXPECT_TRUE(SameBits(LogitsOf(5, "m", kNf4), expected));
    EXPECT_EQ(ReadFile(path).value(), content) << "repaired, and always the same bytes";
  }
  ASSERT_TRUE(RemoveRecursively(Files(".sha256").at(0)).ok());  // killed before it was written
  EXPECT_TRUE(SameBits(LogitsOf(5, "m", kNf4), expected));
  EXPECT_THAT(Files(".sha256"), SizeIs(1));
}

TEST_F(Cache, AnotherModelHasAnotherFileAndTheOldestGo) {
  const at::Tensor first = LogitsOf(1, "m1", kInt8);
  EXPECT_FALSE(SameBits(LogitsOf(2, "m2", kInt8), first));
  for (int i = 3; i < 9; ++i) LogitsOf(i, absl::StrCat("m", i), kInt8);
  EXPECT_THAT(Files(), SizeIs(QuantizedCache::kMostFiles));
  EXPECT_THAT(Files(".sha256"), SizeIs(QuantizedCache::kMostFiles));
  EXPECT_TRUE(SameBits(LogitsOf(1, "m1", kInt8), first)) << "made again";
}

TEST_F(Cache, WhoComesMeanwhileWaitsForWhoMakesIt) {
  QuantizedCache maker(directory(), "m");
  maker.Open(kInt8);
  EXPECT_FALSE(maker.has_file());
  bool found = false;
  std::thread other([&] {
    QuantizedCache cache(directory(), "m");
    cache.Open(kInt8);
    found = cache.has_file();
  });
  const float values[] = {1, 2, 3, 4, 5, 6};
  const auto matrix =
      std::make_shared<const QuantizedMatrix>(QuantizedMatrix::Make(values, 2, 3, kInt8).value());
  maker.Add("w", matrix);
  maker.Write();
  other.join();
  EXPECT_TRUE(found);
  QuantizedCache reader(directory(), "m");
  reader.Open(kInt8);
  EXPECT_TRUE(reader.Find("w", 2, 3).ok());
  EXPECT_EQ(reader.Find("w", 3, 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(reader.Find("v", 2, 3).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Cache, KeepsNothingOfAModelThatNobodyKnowsOrWhereItCannotWrite) {
  const at::Tensor expected = LogitsOf(5, "", kNf4);
  EXPECT_THAT(Files(), SizeIs(0));
  ASSERT_TRUE(WriteFileAtomically(directory(), "a file, no directory").ok());
  EXPECT_TRUE(SameBits(LogitsOf(5, "m", kNf4), expected));
}

}  // namespace
}  // namespace scm::trainer
