#include "common/file_digests.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"

namespace scm {
namespace {

class FileDigestsTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = absl::StrCat(testing::TempDir(), "file_digests.", getpid());
    ASSERT_TRUE(MakeDirectories(directory_).ok());
    file_ = directory_ + "/weights";
  }
  void TearDown() override { ASSERT_TRUE(RemoveRecursively(directory_).ok()); }
  void Write(const std::string& content) { ASSERT_TRUE(WriteFileAtomically(file_, content).ok()); }
  // A file whose change lies back far enough to be remembered: a system file.
  static std::string OldFile() { return "/etc/passwd"; }

  std::string directory_, file_;
};

TEST_F(FileDigestsTest, AreThoseOfTheFile) {
  Write("abc");
  FileDigests digests;
  const auto digest = digests.Of(file_);
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(digest->sha256, Sha256Hex("abc"));
  EXPECT_EQ(digest->bytes, 3);
  EXPECT_EQ(digests.Of(directory_ + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileDigestsTest, AFileThatChangedJustNowIsReadAgain) {
  FileDigests digests(directory_ + "/cache");
  for (const char* content : {"one", "two", "six"}) {  // the same size, within one clock tick
    Write(content);
    EXPECT_EQ(digests.Of(file_)->sha256, Sha256Hex(content));
  }
  EXPECT_EQ(digests.bytes_read(), 9);
}

TEST_F(FileDigestsTest, AnOldFileIsReadOnceByAllWhoShareADirectory) {
  struct stat info;
  ASSERT_EQ(stat(OldFile().c_str(), &info), 0);
  if (info.st_ctim.tv_sec + 10 > time(nullptr)) GTEST_SKIP() << OldFile() << " is brand-new";
  FileDigests first(directory_ + "/cache");
  const auto digest = first.Of(OldFile());
  ASSERT_TRUE(digest.ok()) << digest.status();
  ASSERT_TRUE(first.Of(OldFile()).ok());
  EXPECT_EQ(first.bytes_read(), info.st_size);
  FileDigests second(directory_ + "/cache");
  EXPECT_EQ(second.Of(OldFile())->sha256, digest->sha256);
  EXPECT_EQ(second.bytes_read(), 0);
  FileDigests alone;
  ASSERT_TRUE(alone.Of(OldFile()).ok());
  EXPECT_EQ(alone.bytes_read(), info.st_size);
}

TEST_F(FileDigestsTest, WhatIsRememberedHoldsForTheseTimesOnly) {
  Write("new content");
  const std::string cache = directory_ + "/cache";
  ASSERT_TRUE(MakeDirectories(cache).ok());
  const std::string place = absl::StrCat(cache, "/", Sha256Hex(file_), ".json");
  for (const std::string& text :
       {absl::StrCat("{\"path\": \"", file_, "\", \"key\": \"1 2 3\", \"bytes\": 1, ",
                     "\"sha256\": \"of another time\"}"),
        std::string("{"), std::string("[]"), std::string()}) {
    ASSERT_TRUE(WriteFileAtomically(place, text).ok());
    EXPECT_EQ(FileDigests(cache).Of(file_)->sha256, Sha256Hex("new content")) << text;
  }
}

TEST_F(FileDigestsTest, ADirectoryThatCannotBeWrittenIsNoError) {
  Write("abc");
  EXPECT_EQ(FileDigests("/proc/nothing").Of(file_)->sha256, Sha256Hex("abc"));
}

}  // namespace
}  // namespace scm
