// LocalStore on the real file system: what can be uploaded, found, verified, removed and swept.
#include "coordinator/checkpoint/local_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>
#include <utility>

#include "common/files.h"
#include "tests/coordinator/checkpoint/blobs.h"
#include "tests/fakes/temp_dir.h"

namespace scm::checkpoint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LocalStoreTest : public testing::Test {
 protected:
  LocalStoreTest() { Open({}); }

  void Open(std::function<bool(absl::string_view)> may_replace, int64_t min_free_bytes = 0) {
    auto store =
        LocalStore::Open({dir_.path() + "/checkpoints", min_free_bytes, std::move(may_replace)});
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  std::vector<std::string> Names(const std::string& below) {
    return ListDirectory(dir_.path() + "/checkpoints/" + below).value();
  }

  std::string FilePath(const std::string& file) {
    return dir_.path() + "/checkpoints/blobs/r-3/100/" + file;
  }

  fake::TempDir dir_;
  std::unique_ptr<LocalStore> store_;
};

TEST_F(LocalStoreTest, MakesAWholeBlobVisible) {
  const TestBlob checkpoint = Checkpoint();
  const auto blob = Upload(*store_, checkpoint);
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(blob->id, "r-3/100");
  EXPECT_EQ(blob->path, dir_.path() + "/checkpoints/blobs/r-3/100");
  EXPECT_EQ(blob->bytes, 4001);
  EXPECT_EQ(blob->sha256, Sha256Hex(ReadFile(FilePath("manifest.json")).value()));
  EXPECT_EQ(blob->manifest.epoch, 7);
  for (size_t i = 0; i < checkpoint.contents.size(); ++i) {
    EXPECT_EQ(ReadFile(FilePath(checkpoint.manifest.files[i].path)).value(),
              checkpoint.contents[i]);
  }
  const auto found = store_->Find("r-3/100");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->sha256, blob->sha256);
  EXPECT_TRUE(store_->Verify("r-3/100").ok());
  EXPECT_THAT(Names("staging"), IsEmpty());
}

TEST_F(LocalStoreTest, NothingIsVisibleBeforeCommit) {
  const TestBlob checkpoint = Checkpoint();
  {
    auto writer = store_->Begin(checkpoint.manifest);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(AppendAll(**writer, checkpoint, 500).ok());
    EXPECT_EQ(store_->Find("r-3/100").status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(Names("staging"), ElementsAre("1"));
  }
  EXPECT_THAT(Names("staging"), IsEmpty()) << "an upload given up leaves nothing";
  EXPECT_THAT(Names("blobs"), IsEmpty());
}

TEST_F(LocalStoreTest, RefusesPiecesOutOfPlace) {
  const TestBlob checkpoint = Checkpoint();
  auto writer = store_->Begin(checkpoint.manifest);
  ASSERT_TRUE(writer.ok());
  const std::string file = "adapter_model.safetensors";
  EXPECT_EQ((*writer)->Append("other", 0, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*writer)->Append("../x", 0, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((*writer)->Append(file, 5, "x").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE((*writer)->Append(file, 0, std::string(1000, 'a')).ok());
  const absl::Status again = (*writer)->Append(file, 0, std::string(1000, 'a'));
  EXPECT_THAT(again.message(), HasSubstr("is at offset 1000, not 0"));
  const absl::Status beyond = (*writer)->Append(file, 1000, std::string(2001, 'a'));
  EXPECT_THAT(beyond.message(), HasSubstr("grows beyond the 3000 bytes"));
  EXPECT_EQ((*writer)->Append("empty", 0, "x").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE((*writer)->Append("empty", 0, "").ok());
  const auto early = (*writer)->Commit();
  EXPECT_EQ(early.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(early.status().message(), HasSubstr("has 1000 of 3000 bytes"));
  // None of this spoils the upload.
  ASSERT_TRUE((*writer)->Append(file, 1000, std::string(2000, 'a')).ok());
  ASSERT_TRUE((*writer)->Append("state/optimizer.safetensors", 0, checkpoint.contents[1]).ok());
  EXPECT_TRUE((*writer)->Commit().ok());
  EXPECT_EQ((*writer)->Commit().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LocalStoreTest, DamageOnTheWayIsDataLoss) {
  for (size_t damaged : {0, 1}) {
    TestBlob checkpoint = Checkpoint();
    checkpoint.contents[damaged][500] ^= 1;
    const auto blob = Upload(*store_, checkpoint);
    EXPECT_EQ(blob.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(blob.status().message(), HasSubstr(checkpoint.manifest.files[damaged].path));
  }
  TestBlob wrong_crc = Checkpoint();
  wrong_crc.manifest.files[1].crc32c ^= 1;
  EXPECT_EQ(Upload(*store_, wrong_crc).status().code(), absl::StatusCode::kDataLoss);
  TestBlob wrong_empty = Checkpoint();
  wrong_empty.manifest.files[2].sha256 = std::string(64, '0');
  EXPECT_EQ(Upload(*store_, wrong_empty).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Names("blobs"), IsEmpty());
  EXPECT_THAT(Names("staging"), IsEmpty());
}

TEST_F(LocalStoreTest, BadManifestsNeverReachTheDisk) {
  EXPECT_EQ(store_->Begin(MakeBlob("../x", 1, {{"a", "x"}}).manifest).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Begin(MakeBlob("r-3/100", 1, {{"../a", "x"}}).manifest).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const char* id : {"../x", "r-3/..", "r-3/100/empty", "/etc", ""}) {
    EXPECT_EQ(store_->Find(id).status().code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_EQ(store_->Verify(id).code(), absl::StatusCode::kInvalidArgument) << id;
    EXPECT_EQ(store_->Remove(id).code(), absl::StatusCode::kInvalidArgument) << id;
  }
  EXPECT_THAT(Names("staging"), IsEmpty());
}

TEST_F(LocalStoreTest, EqualUploadGivesBackTheFirst) {
  const auto first = Upload(*store_, Checkpoint());
  const auto same = Upload(*store_, Checkpoint("r-3/100", /*epoch=*/9));
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->sha256, first->sha256);
  EXPECT_EQ(same->manifest.epoch, 7);
  EXPECT_THAT(Names("staging"), IsEmpty());
}

TEST_F(LocalStoreTest, DifferentUploadIsRefused) {
  const auto first = Upload(*store_, Checkpoint());
  for (int64_t epoch : {6, 7, 8}) {
    const auto other = Upload(*store_, Checkpoint("r-3/100", epoch, 'b'));
    EXPECT_EQ(other.status().code(), absl::StatusCode::kFailedPrecondition) << epoch;
  }
  EXPECT_EQ(store_->Find("r-3/100")->sha256, first->sha256);
  EXPECT_TRUE(store_->Verify("r-3/100").ok());
}

TEST_F(LocalStoreTest, DifferentUploadReplacesWhatWasNeverCommitted) {
  Open([](absl::string_view id) { return id == "r-3/100"; });
  ASSERT_TRUE(Upload(*store_, Checkpoint()).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-4/100")).ok());
  const auto older = Upload(*store_, Checkpoint("r-3/100", 6, 'b'));
  EXPECT_EQ(older.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(older.status().message(), HasSubstr("older epoch 6"));
  for (int64_t epoch : {7, 8}) {
    const auto newer =
        Upload(*store_, Checkpoint("r-3/100", epoch, static_cast<char>('b' + epoch)));
    ASSERT_TRUE(newer.ok()) << newer.status();
    EXPECT_EQ(newer->manifest.epoch, epoch);
    EXPECT_TRUE(store_->Verify("r-3/100").ok());
  }
  EXPECT_FALSE(Upload(*store_, Checkpoint("r-4/100", 8, 'b')).ok());
  EXPECT_THAT(Names("staging"), IsEmpty());
}

// Whatever happened to the files of a committed checkpoint, a good upload takes their place.
TEST_F(LocalStoreTest, AGoodUploadReplacesADamagedBlob) {
  const std::string optimizer = FilePath("state/optimizer.safetensors");
  const std::string manifest = FilePath("manifest.json");
  const std::pair<const char*, std::function<void()>> damages[] = {
      {"a flipped bit",
       [&] {
         std::string content = ReadFile(optimizer).value();
         content[77] ^= 4;
         ASSERT_TRUE(WriteFileAtomically(optimizer, content).ok());
       }},
      {"cut short", [&] { ASSERT_TRUE(WriteFileAtomically(optimizer, "x").ok()); }},
      {"a file gone", [&] { ASSERT_TRUE(RemoveRecursively(optimizer).ok()); }},
      {"no manifest any more", [&] { ASSERT_TRUE(RemoveRecursively(manifest).ok()); }},
      {"a broken manifest", [&] { ASSERT_TRUE(WriteFileAtomically(manifest, "{").ok()); }},
      {"a manifest of another",
       [&] {
         std::string text = ReadFile(manifest).value();
         text.replace(text.find("r-3/100"), 7, "r-3/200");
         ASSERT_TRUE(WriteFileAtomically(manifest, text).ok());
       }},
  };
  for (const auto& [what, damage] : damages) {
    for (const char fill : {'a', 'b'}) {  // the same bytes again, or others
      SCOPED_TRACE(testing::Message() << what << ", " << fill);
      ASSERT_TRUE(store_->Remove("r-3/100").ok());
      ASSERT_TRUE(Upload(*store_, Checkpoint()).ok());
      damage();
      const auto again = Upload(*store_, Checkpoint("r-3/100", /*epoch=*/8, fill));
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_TRUE(store_->Verify("r-3/100").ok()) << store_->Verify("r-3/100");
      EXPECT_EQ(ReadFile(optimizer).value(), std::string(1001, fill));
      EXPECT_EQ(again->manifest.epoch, 8);
      EXPECT_THAT(Names("staging"), IsEmpty());
    }
  }
}

TEST_F(LocalStoreTest, ADamagedBlobOfANewerEpochStays) {
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-3/100", 9)).ok());
  ASSERT_TRUE(WriteFileAtomically(FilePath("state/optimizer.safetensors"), "x").ok());
  EXPECT_EQ(Upload(*store_, Checkpoint("r-3/100", 8, 'b')).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Upload(*store_, Checkpoint("r-3/100", 8, 'a')).ok()) << "the same bytes, intact";
}

TEST_F(LocalStoreTest, VerifyNamesWhatIsDamaged) {
  ASSERT_TRUE(Upload(*store_, Checkpoint()).ok());
  const std::string optimizer = FilePath("state/optimizer.safetensors");
  const std::string content = ReadFile(optimizer).value();
  std::string flipped = content;
  flipped[77] ^= 4;
  struct Damage {
    std::string content;
    const char* says;
  };
  for (const Damage& damage : {Damage{flipped, "is damaged"}, Damage{content + "x", "1002 bytes"},
                               Damage{content.substr(1), "1000 bytes"}}) {
    ASSERT_TRUE(WriteFileAtomically(optimizer, damage.content).ok());
    const absl::Status status = store_->Verify("r-3/100");
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), HasSubstr(optimizer));
    EXPECT_THAT(status.message(), HasSubstr(damage.says));
  }
  ASSERT_TRUE(RemoveRecursively(optimizer).ok());
  EXPECT_THAT(store_->Verify("r-3/100").message(), HasSubstr("is missing"));
  ASSERT_TRUE(WriteFileAtomically(FilePath("manifest.json"), "{").ok());
  EXPECT_EQ(store_->Find("r-3/100").status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(LocalStoreTest, RemovesOneAndOnlyOne) {
  ASSERT_TRUE(Upload(*store_, Checkpoint()).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-3/200")).ok());
  EXPECT_TRUE(store_->Remove("r-3/100").ok());
  EXPECT_EQ(store_->Find("r-3/100").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(store_->Verify("r-3/200").ok());
  EXPECT_TRUE(store_->Remove("r-3/100").ok()) << "again";
  EXPECT_TRUE(store_->Remove("r-3/200").ok());
  EXPECT_THAT(Names("blobs"), IsEmpty());
  EXPECT_THAT(Names("staging"), IsEmpty());
  EXPECT_TRUE(Upload(*store_, Checkpoint()).ok()) << "the id is free again";
}

TEST_F(LocalStoreTest, SweepsBothWays) {
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-3/100")).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-3/200")).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-4/100")).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-5/100")).ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint("r-6/100")).ok());
  const std::string base = dir_.path() + "/checkpoints/";
  ASSERT_TRUE(RemoveRecursively(base + "blobs/r-5/100/empty").ok());
  ASSERT_TRUE(WriteFileAtomically(base + "blobs/r-6/100/state/optimizer.safetensors", "x").ok());
  ASSERT_TRUE(MakeDirectories(base + "staging/1/state").ok());
  ASSERT_TRUE(WriteFileAtomically(base + "staging/1/state/x", "left behind").ok());
  ASSERT_TRUE(WriteFileAtomically(base + "blobs/stray", "x").ok());
  ASSERT_TRUE(WriteFileAtomically(base + "blobs/r-3/stray", "x").ok());
  const auto missing = store_->Sweep({"r-3/200", "r-5/100", "r-6/100", "r-9/100"});
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_THAT(*missing, ElementsAre("r-5/100", "r-6/100", "r-9/100"));
  EXPECT_THAT(Names("staging"), IsEmpty());
  EXPECT_THAT(Names("blobs"), ElementsAre("r-3", "r-5", "r-6"));
  EXPECT_THAT(Names("blobs/r-3"), ElementsAre("200"));
  EXPECT_TRUE(store_->Verify("r-3/200").ok());
  EXPECT_TRUE(Upload(*store_, Checkpoint("r-3/100")).ok()) << "uploads go on after a sweep";
}

TEST_F(LocalStoreTest, StagesOfAnEarlierProcessAreNotReused) {
  ASSERT_TRUE(MakeDirectories(dir_.path() + "/checkpoints/staging/1").ok());
  ASSERT_TRUE(Upload(*store_, Checkpoint()).ok());
  EXPECT_THAT(Names("staging"), ElementsAre("1"));
}

TEST_F(LocalStoreTest, KeepsTheReserveFree) {
  Open({}, /*min_free_bytes=*/int64_t{1} << 60);
  const auto writer = store_->Begin(Checkpoint().manifest);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(writer.status().message(), HasSubstr("no room for r-3/100"));
}

TEST_F(LocalStoreTest, UploadsRunInParallel) {
  std::vector<std::thread> threads;
  std::atomic<int> stored{0}, refused{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = "r-" + std::to_string(100 + t) + "/1";
      if (Upload(*store_, Checkpoint(own)).ok()) ++stored;
      // All eight race for one id, half with one content and half with another.
      const auto raced = Upload(*store_, Checkpoint("r-1/1", 1, t % 2 ? 'a' : 'b'));
      if (raced.ok()) ++stored;
      if (absl::IsFailedPrecondition(raced.status())) ++refused;
      if (t % 2 == 0) store_->Remove(own).IgnoreError();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stored, 12);
  EXPECT_EQ(refused, 4);
  EXPECT_TRUE(store_->Verify("r-1/1").ok());
  EXPECT_EQ(Names("blobs").size(), 5u);
  EXPECT_THAT(Names("staging"), IsEmpty());
}

TEST(LocalStoreOpen, NeedsAnAbsolutePath) {
  EXPECT_EQ(LocalStore::Open({"relative"}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(LocalStore::Open({"/dev/null/x"}).ok());
}

}  // namespace
}  // namespace scm::checkpoint
