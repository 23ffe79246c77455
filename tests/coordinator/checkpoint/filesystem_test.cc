// The real Filesystem: exactly the promises that LocalStore builds on.
#include "coordinator/checkpoint/filesystem.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/files.h"
#include "coordinator/checkpoint/local_store.h"
#include "tests/coordinator/checkpoint/blobs.h"
#include "tests/fakes/temp_dir.h"

namespace scm::checkpoint {
namespace {

class FilesystemTest : public testing::Test {
 protected:
  std::string At(const std::string& name) { return dir_.path() + "/" + name; }
  fake::TempDir dir_;
  Filesystem& files_ = PosixFilesystem();
};

TEST_F(FilesystemTest, CreatesOnlyNewFiles) {
  auto file = files_.CreateFile(At("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->Append("hello ").ok());
  EXPECT_TRUE((*file)->Append("world").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(files_.CreateFile(At("a")).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(files_.CreateFile(At("no/a")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(files_.ReadAt(At("a"), 6, 3).value(), "wor");
  EXPECT_EQ(files_.ReadAt(At("a"), 11, 3).value(), "");
  EXPECT_EQ(files_.FileSize(At("a")).value(), 11);
  EXPECT_FALSE(files_.FileSize(dir_.path()).ok());
  EXPECT_EQ(files_.FileSize(At("b")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FilesystemTest, RenameNeverReplaces) {
  ASSERT_TRUE(files_.MakeDirectory(At("from")).ok());
  ASSERT_TRUE(files_.MakeDirectory(At("to")).ok());
  EXPECT_EQ(files_.MakeDirectory(At("to")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(files_.RenameNoReplace(At("from"), At("to")).code(), absl::StatusCode::kAlreadyExists)
      << "not even an empty directory";
  EXPECT_EQ(files_.RenameNoReplace(At("none"), At("new")).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(files_.RenameNoReplace(At("from"), At("new")).ok());
  EXPECT_TRUE(files_.SyncDirectory(dir_.path()).ok());
  EXPECT_FALSE(files_.SyncDirectory(At("from")).ok());
}

TEST_F(FilesystemTest, RemovesTreesWithoutFollowingLinks) {
  ASSERT_TRUE(MakeDirectories(At("kept")).ok());
  ASSERT_TRUE(WriteFileAtomically(At("kept/file"), "x").ok());
  ASSERT_TRUE(MakeDirectories(At("tree/a/b")).ok());
  ASSERT_TRUE(WriteFileAtomically(At("tree/a/b/file"), "x").ok());
  ASSERT_EQ(symlink(At("kept").c_str(), At("tree/a/link").c_str()), 0);
  EXPECT_TRUE(RemoveTree(files_, At("tree")).ok());
  EXPECT_FALSE(FileExists(At("tree")));
  EXPECT_TRUE(FileExists(At("kept/file")));
  EXPECT_TRUE(RemoveTree(files_, At("tree")).ok()) << "again";
}

// Files may not grow beyond 2000 bytes: how a full disk answers. In a child, for the limit is on
// the whole process.
int UploadAgainstALimit(const std::string& directory) {
  signal(SIGXFSZ, SIG_IGN);
  auto store = LocalStore::Open({directory});
  if (!store.ok()) return 1;
  rlimit limit;
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small = {2000, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  {
    const TestBlob checkpoint = Checkpoint();
    auto writer = (*store)->Begin(checkpoint.manifest);
    if (!writer.ok()) return 2;
    if (!absl::IsResourceExhausted(AppendAll(**writer, checkpoint, 900))) return 3;
    if (!absl::IsResourceExhausted((*writer)->Commit().status())) return 4;
  }
  if (!absl::IsNotFound((*store)->Find("r-3/100").status())) return 5;
  setrlimit(RLIMIT_FSIZE, &limit);
  if (!Upload(**store, Checkpoint()).ok()) return 6;
  return (*store)->Verify("r-3/100").ok() ? 0 : 7;
}

TEST_F(FilesystemTest, AFullDiskIsResourceExhausted) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(UploadAgainstALimit(At("checkpoints")));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the number of the step that failed";
}

}  // namespace
}  // namespace scm::checkpoint
