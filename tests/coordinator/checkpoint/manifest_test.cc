// What may stand in a manifest, and above all which paths.
#include "coordinator/checkpoint/manifest.h"

#include <gtest/gtest.h>

#include "tests/coordinator/checkpoint/blobs.h"

namespace scm::checkpoint {
namespace {

TEST(BlobId, AcceptsServerMadeOnes) {
  for (const char* id : {"r-3/100", "k-9/report", "r-123456/0", "k-1/data_check.v2-a"}) {
    EXPECT_TRUE(CheckBlobId(id).ok()) << id;
  }
}

TEST(BlobId, RefusesEverythingElse) {
  const std::string table[] = {"",
                               "/",
                               "r-3",
                               "r-3/",
                               "/100",
                               "r-3/100/",
                               "/r-3/100",
                               "r-3//100",
                               "r-3/1/2",
                               "../100",
                               "r-3/..",
                               "r-3/.",
                               "r-/1",
                               "3/100",
                               "R-3/100",
                               "rr-3/100",
                               "r-3a/100",
                               "r-3/a b",
                               "r-3/a\\b",
                               "r-3/a:b",
                               "r-3/%2e%2e",
                               "r-3/\xc3\xa9",
                               std::string("r-3/a\0b", 7),
                               "r-3/" + std::string(65, 'a'),
                               "r-" + std::string(40, '1') + "/1",
                               "~/100",
                               "r-3/100\n"};
  for (const std::string& id : table) {
    EXPECT_EQ(CheckBlobId(id).code(), absl::StatusCode::kInvalidArgument) << id;
  }
}

TEST(Manifest, RefusesPathsThatLeaveTheBlobOrArePeculiar) {
  const std::string table[] = {"",
                               "/",
                               "/etc/passwd",
                               "..",
                               "../x",
                               "a/../../x",
                               "a/..",
                               "./a",
                               "a/./b",
                               "a//b",
                               "a/",
                               "a b",
                               "a\\b",
                               "..\\x",
                               "a:b",
                               "C:\\x",
                               "a\nb",
                               std::string("a\0b", 3),
                               "%2e%2e/x",
                               "~",
                               "$HOME",
                               "caf\xc3\xa9",
                               std::string(65, 'a'),
                               "a/b/c/d/e/f/g/h/i",
                               "manifest.json",
                               "manifest.json/a"};
  for (const std::string& path : table) {
    const TestBlob blob = MakeBlob("r-3/100", 1, {{path, "x"}});
    EXPECT_EQ(CheckManifest(blob.manifest).code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(Manifest, AcceptsOrdinaryPaths) {
  for (const char* path : {"a", "adapter_model.safetensors", "a/b/c/d/e/f/g/h", "...", ".hidden",
                           "sub/manifest.json", "-rf"}) {
    EXPECT_TRUE(CheckManifest(MakeBlob("r-3/100", 1, {{path, "x"}}).manifest).ok()) << path;
  }
}

struct Refused {
  const char* name;
  void (*change)(Manifest&);
  const char* says;
};

class RefusedManifest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedManifest, SaysWhatIsWrong) {
  Manifest manifest = Checkpoint().manifest;
  ASSERT_TRUE(CheckManifest(manifest).ok());
  GetParam().change(manifest);
  const absl::Status status = CheckManifest(manifest);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find(GetParam().says), std::string::npos) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Tables, RefusedManifest,
    testing::Values(
        Refused{"NoFiles", [](Manifest& m) { m.files.clear(); }, "found 0"},
        Refused{"TooMany", [](Manifest& m) { m.files.resize(5000, m.files[0]); }, "found 5000"},
        Refused{"Twice", [](Manifest& m) { m.files.push_back(m.files[0]); }, "is there twice"},
        Refused{"FileAndDirectory", [](Manifest& m) { m.files[0].path = "state"; },
                "the directory of \"state/optimizer.safetensors\""},
        Refused{"NegativeSize", [](Manifest& m) { m.files[0].bytes = -1; }, "impossible size"},
        Refused{"TotalOverflows",
                [](Manifest& m) { m.files[0].bytes = m.files[1].bytes = INT64_MAX; },
                "impossible size"},
        Refused{"ShortDigest", [](Manifest& m) { m.files[0].sha256.pop_back(); }, "64 lower-case"},
        Refused{"UpperCase", [](Manifest& m) { m.files[0].sha256[0] = 'A'; }, "64 lower-case"},
        Refused{"Epoch", [](Manifest& m) { m.epoch = -1; }, "must not be negative"},
        Refused{"Id", [](Manifest& m) { m.id = "../x"; }, "is no id"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Manifest, SurvivesItsJson) {
  const Manifest manifest = Checkpoint().manifest;
  const auto read = ManifestFromJson(ManifestToJson(manifest), "manifest.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->id, "r-3/100");
  EXPECT_EQ(read->attempt, 1);
  EXPECT_EQ(read->epoch, 7);
  EXPECT_EQ(read->step, 100);
  ASSERT_EQ(read->files.size(), manifest.files.size());
  for (size_t i = 0; i < read->files.size(); ++i) {
    EXPECT_EQ(read->files[i].path, manifest.files[i].path);
    EXPECT_EQ(read->files[i].bytes, manifest.files[i].bytes);
    EXPECT_EQ(read->files[i].sha256, manifest.files[i].sha256);
    EXPECT_EQ(read->files[i].crc32c, manifest.files[i].crc32c);
  }
}

TEST(Manifest, RefusesDamagedJson) {
  const std::string good = ManifestToJson(Checkpoint().manifest);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::string table[] = {"",
                               "{}",
                               "[]",
                               "null",
                               "7",
                               good.substr(0, good.size() / 2),
                               with("\"version\": 1", "\"version\": 2"),
                               with("\"epoch\": 7", "\"epoch\": \"x\""),
                               with("\"r-3/100\"", "\"r-3/../..\""),
                               with("\"empty\"", "\"../empty\""),
                               with("\"crc32c\": 0", "\"crc32c\": -4"),
                               with("\"bytes\": 3000", "\"bytes\": null")};
  for (const std::string& text : table) {
    const auto read = ManifestFromJson(text, "DIR/manifest.json");
    EXPECT_EQ(read.status().code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_NE(std::string(read.status().message()).find("DIR/manifest.json is damaged"),
              std::string::npos)
        << read.status();
  }
}

TEST(Manifest, SameContentIsAboutFilesNotAboutWriters) {
  const Manifest one = Checkpoint().manifest;
  Manifest other = one;
  other.attempt = 9;
  other.epoch = 99;
  std::swap(other.files[0], other.files[1]);
  EXPECT_TRUE(SameContent(one, other));
  other.step = 200;
  EXPECT_FALSE(SameContent(one, other));
  other = one;
  other.files[2].sha256 = one.files[0].sha256;
  EXPECT_FALSE(SameContent(one, other));
  other = one;
  other.files.pop_back();
  EXPECT_FALSE(SameContent(one, other));
}

}  // namespace
}  // namespace scm::checkpoint
