// Files on their way: what a report names, what a manifest promises, what the cache keeps.
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_coordinator.h"
#include "tests/worker/support.h"
#include "worker/attempt/download.h"
#include "worker/attempt/input_cache.h"
#include "worker/attempt/prepare.h"
#include "worker/attempt/upload_files.h"

namespace scm::worker {
namespace {

using testing::HasSubstr;

TEST(UploadFilesTest, StorablePaths) {
  for (const char* path : {"a", "a/b-c_d.e", ".hidden", "A9"})
    EXPECT_TRUE(IsStorablePath(path)) << path;
  for (const char* path : {"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "ü", "a\nb"}) {
    EXPECT_FALSE(IsStorablePath(path)) << path;
  }
  EXPECT_TRUE(IsStorablePath(std::string(64, 'x')));
  EXPECT_FALSE(IsStorablePath(std::string(65, 'x')));
}

class ReportedPathTest : public testing::Test {
 protected:
  ReportedPathTest() {
    EXPECT_TRUE(MakeDirectories(dir_ / "attempt/work/step-5/sub").ok());
    WriteText(dir_ / "attempt/work/step-5/b.bin", "bytes");
    WriteText(dir_ / "attempt/work/step-5/sub/a.bin", "more");
    WriteText(dir_ / "attempt/work/report.html", "<p>");
    WriteText(dir_ / "outside.txt", "secret");
  }
  absl::StatusOr<std::string> Resolve(const Json& report) {
    return ReportedPath(report, dir_ / "attempt", dir_ / "attempt/work");
  }
  fake::TempDir dir_;
};

TEST_F(ReportedPathTest, FollowsTheTrainersDirectory) {
  const std::string expected = dir_ / "attempt/work/step-5";
  EXPECT_EQ(*Resolve({{"type", "checkpoint"}, {"step", 5}, {"dir", expected}}), expected);
  EXPECT_EQ(*Resolve({{"type", "checkpoint"}, {"step", 5}, {"dir", "work/step-5"}}), expected);
  EXPECT_EQ(*Resolve({{"type", "artifact"}, {"name", "r"}, {"path", "work/report.html"}}),
            dir_ / "attempt/work/report.html");
}

TEST_F(ReportedPathTest, RefusesWhatLiesElsewhere) {
  ASSERT_EQ(symlink((dir_ / "outside.txt").c_str(), (dir_ / "attempt/work/link").c_str()), 0);
  for (const Json& report :
       std::vector<Json>{{{"type", "checkpoint"}, {"step", 5}},
                         {{"type", "checkpoint"}, {"step", 5}, {"dir", dir_ / "attempt/work"}},
                         {{"type", "checkpoint"}, {"step", 5}, {"dir", "work/absent"}},
                         {{"type", "checkpoint"}, {"step", 5}, {"dir", "work/report.html"}},
                         {{"type", "artifact"}, {"name", "r"}, {"path", dir_ / "outside.txt"}},
                         {{"type", "artifact"}, {"name", "r"}, {"path", "../outside.txt"}},
                         {{"type", "artifact"}, {"name", "r"}, {"path", "work/link"}},
                         {{"type", "artifact"}, {"name", "r"}, {"path", "."}}}) {
    EXPECT_EQ(Resolve(report).status().code(), absl::StatusCode::kInvalidArgument) << report;
  }
}

TEST_F(ReportedPathTest, CollectsFilesInOrder) {
  const Json report = {{"type", "checkpoint"}, {"step", 5}, {"dir", "work/step-5"}};
  const auto request =
      CollectUpload(report, *Resolve(report), {LeaseId("l-1"), TaskId("k-1"), 1, 1});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_TRUE(request->checkpoint);
  EXPECT_EQ(request->step, 5);
  ASSERT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->files[0].path, "b.bin");
  EXPECT_EQ(request->files[0].bytes, 5);
  EXPECT_EQ(request->files[0].sha256, Sha256Hex("bytes"));
  EXPECT_EQ(request->files[0].crc32c, Crc32c("bytes"));
  EXPECT_EQ(request->files[1].path, "sub/a.bin");
}

TEST_F(ReportedPathTest, RefusesWhatCannotBeStored) {
  const Json checkpoint = {{"type", "checkpoint"}, {"step", 5}, {"dir", "work/step-5"}};
  const auto collect = [&](const Json& report, const std::string& path) {
    return CollectUpload(report, path, {}).status().code();
  };
  const std::string path = dir_ / "attempt/work/step-5";
  EXPECT_EQ(collect({{"type", "checkpoint"}, {"dir", "d"}}, path),
            absl::StatusCode::kInvalidArgument);
  for (const char* name : {"", "a/b", "..", "a b"}) {
    EXPECT_EQ(collect({{"type", "artifact"}, {"name", name}}, path),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  WriteText(path + "/with space", "");
  EXPECT_EQ(collect(checkpoint, path), absl::StatusCode::kInvalidArgument);
  unlink((path + "/with space").c_str());
  ASSERT_EQ(symlink("b.bin", (path + "/link").c_str()), 0);
  EXPECT_EQ(collect(checkpoint, path), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(MakeDirectories(dir_ / "attempt/work/empty").ok());
  EXPECT_EQ(collect(checkpoint, dir_ / "attempt/work/empty"), absl::StatusCode::kInvalidArgument);
}

Json Entry(const std::string& path, const std::string& content) {
  return {{"path", path}, {"bytes", content.size()}, {"sha256", Sha256Hex(content)}};
}

class DownloadTest : public testing::Test {
 protected:
  DownloadTest()
      : manifest_(
            Json({{"files", {Entry("a", "12345"), Entry("sub/b", ""), Entry("c", "x")}}}).dump()),
        download_(dir_.path(), [](const std::string&, const Json&) { return false; }) {}
  absl::Status Feed(const std::vector<std::tuple<std::string, int64_t, std::string>>& chunks) {
    for (const auto& [path, offset, data] : chunks) {
      if (const absl::Status s = download_.OnChunk(path, offset, data); !s.ok()) return s;
    }
    return download_.Finish();
  }
  fake::TempDir dir_;
  const std::string manifest_;
  Download download_;
};

TEST_F(DownloadTest, TakesWhatFitsItsManifest) {
  const absl::Status status = Feed({{"manifest.json", 0, manifest_.substr(0, 10)},
                                    {"manifest.json", 10, manifest_.substr(10)},
                                    {"a", 0, "123"},
                                    {"a", 3, "45"},
                                    {"c", 0, "x"}});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ReadText(dir_ / "a"), "12345");
  EXPECT_EQ(ReadText(dir_ / "sub/b"), "") << "empty files need no chunk";
  EXPECT_EQ(download_.manifest_sha256(), Sha256Hex(manifest_));
}

TEST(DownloadErrorsTest, EveryKindOfDamageIsNoticed) {
  const std::string manifest = Json({{"files", {Entry("a", "12345")}}}).dump();
  struct Case {
    std::vector<std::tuple<std::string, int64_t, std::string>> chunks;
    const char* message;
  };
  const Case cases[] = {
      {{}, "nothing came"},
      {{{"a", 0, "12345"}}, "before manifest.json"},
      {{{"manifest.json", 0, manifest}}, "a is missing"},
      {{{"manifest.json", 0, manifest}, {"a", 0, "123"}}, "3 bytes"},
      {{{"manifest.json", 0, manifest}, {"a", 0, "123456"}}, "6 bytes"},
      {{{"manifest.json", 0, manifest}, {"a", 0, "12x45"}}, "SHA-256"},
      {{{"manifest.json", 0, manifest}, {"a", 1, "2345"}}, "expected"},
      {{{"manifest.json", 0, manifest}, {"a", 0, "12"}, {"a", 3, "45"}}, "expected"},
      {{{"manifest.json", 0, manifest}, {"a", 0, "12345"}, {"b", 0, "x"}}, "not in the manifest"},
      {{{"manifest.json", 0, manifest}, {"../a", 0, "12345"}}, "not in the manifest"},
      {{{"manifest.json", 0, "{"}, {"a", 0, "12345"}}, "JSON"},
  };
  for (const Case& c : cases) {
    fake::TempDir dir;
    Download download(dir.path(), [](const std::string&, const Json&) { return false; });
    absl::Status status;
    for (const auto& [path, offset, data] : c.chunks) {
      if (status.ok()) status = download.OnChunk(path, offset, data);
    }
    if (status.ok()) status = download.Finish();
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

class InputCacheTest : public testing::Test {
 protected:
  InputCacheTest() : cache_(dir_ / "cache", 2) { coordinator_.GrantLease({lease_, "", {}, {}}); }
  void Store(const std::string& id, const std::string& content) {
    coordinator_.blobs[id] = {Json({{"id", id}, {"files", {Entry("f", content)}}}).dump(),
                              {{"f", content}}};
  }
  std::string Fetch(const std::string& id) {
    const absl::StatusOr<std::string> entry = cache_.Fetch(coordinator_, lease_, id);
    EXPECT_TRUE(entry.ok()) << entry.status();
    return entry.value_or("");
  }
  size_t Entries() { return ListDirectory(dir_ / "cache")->size(); }

  fake::TempDir dir_;
  fake::FakeCoordinator coordinator_;
  LeaseRef lease_{LeaseId("l-1"), TaskId("k-1"), 1, 1};
  InputCache cache_;
};

TEST_F(InputCacheTest, FetchesOnce) {
  Store("r-1/5", "content");
  const std::string entry = Fetch("r-1/5");
  EXPECT_EQ(ReadText(entry + "/f"), "content");
  EXPECT_EQ(coordinator_.chunks, 1);
  EXPECT_EQ(Fetch("r-1/5"), entry);
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(InputCacheTest, AnotherVersionIsAnotherEntry) {
  Store("r-1/5", "old");
  const std::string old = Fetch("r-1/5");
  Store("r-1/5", "new");
  const std::string fresh = Fetch("r-1/5");
  EXPECT_NE(old, fresh);
  EXPECT_EQ(ReadText(fresh + "/f"), "new");
}

TEST_F(InputCacheTest, ADamagedCopyIsFetchedAgain) {
  Store("r-1/5", "content");
  const std::string entry = Fetch("r-1/5");
  cache_.Unpin(entry);
  WriteText(entry + "/f", "CONTENT");
  EXPECT_EQ(Fetch("r-1/5"), entry);
  EXPECT_EQ(ReadText(entry + "/f"), "content");
}

TEST_F(InputCacheTest, KeepsPinnedEntriesAndAFewMore) {
  std::vector<std::string> entries;
  for (int i = 0; i < 6; ++i) {
    const std::string id = "r-" + std::to_string(i) + "/1";
    Store(id, id);
    entries.push_back(Fetch(id));
  }
  EXPECT_EQ(Entries(), 6u) << "all are pinned";
  for (int i = 1; i < 6; ++i) cache_.Unpin(entries[i]);
  Store("r-9/1", "last");
  Fetch("r-9/1");
  EXPECT_TRUE(FileExists(entries[0])) << "pinned";
  EXPECT_EQ(Entries(), 2u + 2u) << "two pinned, two kept";
}

TEST_F(InputCacheTest, AdoptsCommittedCheckpoints) {
  ASSERT_TRUE(MakeDirectories(dir_ / "step-5").ok());
  WriteText(dir_ / "step-5/f", "content");
  Store("r-1/5", "content");
  ASSERT_TRUE(
      cache_.Adopt(dir_ / "step-5", "r-1/5", Sha256Hex(coordinator_.blobs["r-1/5"].manifest)).ok());
  EXPECT_FALSE(FileExists(dir_ / "step-5"));
  EXPECT_EQ(ReadText(Fetch("r-1/5") + "/f"), "content");
  // The run's next one takes its place unless someone uses it.
  for (const char* step : {"10", "15"}) {
    ASSERT_TRUE(MakeDirectories(dir_ / step).ok());
    ASSERT_TRUE(cache_.Adopt(dir_ / step, std::string("r-1/") + step, "sha").ok());
  }
  EXPECT_EQ(Entries(), 2u);
}

TEST_F(InputCacheTest, ErrorsLeaveNothingBehind) {
  Store("r-1/5", "content");
  coordinator_.damage_downloads = true;
  EXPECT_EQ(cache_.Fetch(coordinator_, lease_, "r-1/5").status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(cache_.Fetch(coordinator_, lease_, "r-7/1").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(cache_.Fetch(coordinator_, lease_, "../x").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Entries(), 0u);
}

TEST(PrepareTest, NamesAttempts) {
  const LeaseRef lease{LeaseId("l-1"), TaskId("k-7"), 2, 5};
  EXPECT_EQ(*AttemptName(lease, Json::object()), "k-7-2");
  EXPECT_EQ(*AttemptName(lease, {{"resources", {{"rank", 0}}}}), "k-7-2");
  EXPECT_EQ(*AttemptName(lease, {{"resources", {{"rank", 3}}}}), "k-7-2-3");
  for (const char* task : {"", "..", "a/b", "../x"}) {
    EXPECT_FALSE(AttemptName({LeaseId("l-1"), TaskId(task), 1, 1}, Json::object()).ok()) << task;
  }
}

TEST(PrepareTest, FillsTheSpec) {
  const Json spec =
      FillSpec({{"resources", {{"cpus", 4}, {"world_size", 2}, {"rank", 1}}}}, "/w", {3});
  EXPECT_EQ(spec["work_dir"], "/w");
  EXPECT_EQ(
      spec["resources"],
      (Json{{"cpus", 4}, {"world_size", 2}, {"rank", 1}, {"gpus", {3}}, {"rendezvous", nullptr}}));
  EXPECT_EQ(FillSpec(Json::object(), "/w", {})["resources"]["world_size"], 1);
}

TEST(PrepareTest, EnvironmentShowsOnlyGrantedGpus) {
  const std::vector<Gpu> inventory = {{0, "H200", 1, "GPU-x"}, {1, "H200", 1, ""}};
  const auto value = [&](const std::vector<int>& gpus, const std::string& key) {
    for (const auto& [name, text] : TrainerEnvironment("/s", 3, gpus, inventory)) {
      if (name == key) return text;
    }
    return std::string("absent");
  };
  EXPECT_EQ(value({}, "CUDA_VISIBLE_DEVICES"), "");
  EXPECT_EQ(value({0, 1}, "CUDA_VISIBLE_DEVICES"), "GPU-x,1");
  EXPECT_EQ(value({}, "OMP_NUM_THREADS"), "3");
  EXPECT_EQ(value({}, "SCM_SPEC"), "/s");
}

TEST(PrepareTest, TheLeaseRecordComesBack) {
  const AttemptRecord record{
      {LeaseId("l-1"), TaskId("k-7"), 2, 5}, {"/bin/x", "y"}, 2, {0, 1}, {3}, {"/cache/a"}};
  const AttemptRecord read = ReadLeaseRecord(LeaseRecord(record));
  EXPECT_EQ(read.lease, record.lease);
  EXPECT_EQ(read.command, record.command);
  EXPECT_EQ(read.cpus, 2);
  EXPECT_EQ(read.cores, record.cores);
  EXPECT_EQ(read.gpus, record.gpus);
  EXPECT_EQ(read.inputs, record.inputs);
}

}  // namespace
}  // namespace scm::worker
