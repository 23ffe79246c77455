#include "common/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace scm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = absl::StrCat(testing::TempDir(), "/files_test.", getpid());
    ASSERT_TRUE(MakeDirectories(directory_).ok());
  }
  void TearDown() override { ASSERT_TRUE(RemoveRecursively(directory_).ok()); }
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  std::string directory_;
};

TEST_F(Files, WrittenIsRead) {
  const std::string content = std::string("a\0b\n", 4) + std::string(200'000, 'x');
  ASSERT_TRUE(WriteFileDurably(Path("durable"), content).ok());
  ASSERT_TRUE(WriteFileAtomically(Path("atomic"), content).ok());
  EXPECT_EQ(*ReadFile(Path("durable")), content);
  EXPECT_EQ(*ReadFile(Path("atomic")), content);
  EXPECT_EQ(*FileSize(Path("atomic")), static_cast<int64_t>(content.size()));
  EXPECT_THAT(*ListDirectory(directory_), ElementsAre("atomic", "durable"))
      << "no temporary files may be left";
}

TEST_F(Files, WritingReplaces) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "long old content").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("f")), "new");
}

TEST_F(Files, ModeIsKept) {
  ASSERT_TRUE(WriteFileDurably(Path("secret"), "x", 0600).ok());
  struct stat info;
  ASSERT_EQ(stat(Path("secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Files, ReadsAPart) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "0123456789").ok());
  EXPECT_EQ(*ReadFileAt(Path("f"), 3, 4), "3456");
  EXPECT_EQ(*ReadFileAt(Path("f"), 8, 4), "89");
  EXPECT_EQ(*ReadFileAt(Path("f"), 10, 4), "");
  EXPECT_EQ(*ReadFileAt(Path("f"), 99, 4), "");
  EXPECT_EQ(*ReadFileAt(Path("f"), 0, 0), "");
}

TEST_F(Files, ErrorsNameThePath) {
  const absl::Status missing = ReadFile(Path("missing")).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr(Path("missing")));
  EXPECT_FALSE(ReadFile(directory_).ok()) << "a directory is no file";
  EXPECT_FALSE(WriteFileAtomically(Path("no/such/directory/f"), "x").ok());
  EXPECT_EQ(ListDirectory(Path("missing")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FileSize(Path("missing")).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "x").ok());
  EXPECT_FALSE(MakeDirectories(Path("f/below")).ok());
}

TEST_F(Files, RemovingWhatIsNotThereIsFine) {
  EXPECT_TRUE(RemoveRecursively(Path("missing")).ok());
  EXPECT_FALSE(FileExists(Path("missing")));
  EXPECT_TRUE(FileExists(directory_));
}

TEST(AbsolutePath, JoinsAndNormalises) {
  struct Case {
    std::string path, base, expected;
  };
  const Case cases[] = {
      {"a/b", "/base", "/base/a/b"},
      {"/a/b", "/base", "/a/b"},
      {"../a", "/base/dir", "/base/a"},
      {"./a/", "/base", "/base/a"},
      {"a//b/../c", "/base", "/base/a/c"},
      {"../../..", "/base", "/"},
      {".", "/base", "/base"},
  };
  for (const Case& c : cases) EXPECT_EQ(AbsolutePath(c.path, c.base), c.expected) << c.path;
}

TEST(ProgramDirectory, HoldsThisTest) {
  EXPECT_TRUE(FileExists(ProgramDirectory() + "/common_test")) << ProgramDirectory();
}

}  // namespace
}  // namespace scm
