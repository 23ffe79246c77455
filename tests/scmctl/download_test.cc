// A download into a directory: whole, broken off, damaged, onto something else, and from a
// coordinator that is cut off or old.
#include "scmctl/download.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "scm/v1/experiment.grpc.pb.h"
#include "scmctl/client.h"
#include "scmctl/progress.h"
#include "tests/fakes/temp_dir.h"

namespace scm::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using Files = std::map<std::string, std::string>;

std::string ManifestOf(const Files& files) {
  Json list = Json::array();
  for (const auto& [path, content] : files) {
    list.push_back({{"path", path}, {"bytes", content.size()}, {"sha256", Sha256Hex(content)}});
  }
  return DumpJson(Json({{"files", list}}));
}

// Streams the files in pieces of three bytes, as far as `pieces` go; false where they ran out.
bool Send(const Files& files, Receiver& receiver, absl::Status& status, int pieces = 1 << 20) {
  const auto say = [&](const std::string& path, int64_t offset, const std::string& data) {
    if (status.ok() && pieces-- > 0) status = receiver.OnChunk(path, offset, data);
    return status.ok() && pieces >= 0;
  };
  const Files::mapped_type manifest = ManifestOf(files);
  const std::map<std::string, int64_t> has = receiver.has();
  receiver.Restart();
  if (!say("manifest.json", 0, manifest)) return false;
  for (const auto& [path, content] : files) {
    const auto found = has.find(path);
    const size_t from = found == has.end() ? 0 : static_cast<size_t>(found->second);
    if (from > 0 && from == content.size()) continue;
    size_t at = from;
    do {
      if (!say(path, static_cast<int64_t>(at), content.substr(at, 3))) return false;
      at += 3;
    } while (at < content.size());
  }
  return true;
}

absl::Status Fetch(const Files& files, const std::string& directory, DownloadOptions how = {}) {
  Receiver receiver(directory, how);
  absl::Status status;
  Send(files, receiver, status);
  if (absl::IsAborted(status)) {
    status = absl::OkStatus();
    Send(files, receiver, status);
  }
  return status.ok() ? receiver.Finish() : status;
}

Files Read(const std::string& directory, const Files& names) {
  Files read;
  for (const auto& [path, content] : names) {
    const auto text = ReadFile(absl::StrCat(directory, "/", path));
    if (text.ok()) read[path] = *text;
  }
  return read;
}

std::vector<std::string> Parts(const std::string& directory) {
  std::vector<std::string> parts;
  const auto names = ListDirectory(directory);
  for (const std::string& name : names.value_or(std::vector<std::string>())) {
    if (name.find(".part") != std::string::npos) parts.push_back(name);
  }
  return parts;
}

const Files kModel = {{"config.json", "{}"},
                      {"empty", ""},
                      {"model.safetensors", "0123456789"},
                      {"sub/a", "abcdefg"}};

TEST(DownloadTest, WritesEveryFileAndTheManifestLast) {
  fake::TempDir dir;
  std::vector<std::pair<int64_t, int64_t>> told;
  DownloadOptions how;
  how.progress = [&](int64_t done, int64_t total) { told.emplace_back(done, total); };
  ASSERT_TRUE(Fetch(kModel, dir.path(), how).ok());
  EXPECT_EQ(Read(dir.path(), kModel), kModel);
  EXPECT_EQ(ReadFile(dir.path() + "/manifest.json").value_or(""), ManifestOf(kModel));
  EXPECT_THAT(Parts(dir.path()), ElementsAre());
  EXPECT_THAT(told.front(), Pair(0, 19));
  EXPECT_THAT(told.back(), Pair(19, 19));
}

// An adapter's folder holds no optimiser: not fetched where the coordinator can leave it out, not
// written where it cannot, and taken away where an earlier version left it.
TEST(DownloadTest, LeavesOutWhatIsNotWanted) {
  for (const bool old : {false, true}) {
    fake::TempDir dir;
    ASSERT_TRUE(WriteFileAtomically(dir.path() + "/model.safetensors", "earlier").ok());
    DownloadOptions how;
    how.replace = true;
    how.leave_out = {"model.safetensors", "not-there"};
    int64_t total = 0;
    how.progress = [&](int64_t done, int64_t all) { total = std::max(done, all); };
    Receiver receiver(dir.path(), how);
    absl::Status status;
    Send(kModel, receiver, status);
    ASSERT_TRUE(absl::IsAborted(status)) << status;  // ask again, without it
    EXPECT_EQ(receiver.has().at("model.safetensors"), 10);
    status = absl::OkStatus();
    if (old) {
      receiver.Restart();
      ASSERT_TRUE(receiver.OnChunk("manifest.json", 0, ManifestOf(kModel)).ok());
      for (const auto& [path, content] : kModel) {
        ASSERT_TRUE(receiver.OnChunk(path, 0, content).ok()) << path;
      }
    } else {
      Send(kModel, receiver, status);
    }
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(receiver.Finish().ok());
    Files wanted = kModel;
    wanted.erase("model.safetensors");
    EXPECT_EQ(Read(dir.path(), kModel), wanted);
    EXPECT_THAT(ReadFile(dir.path() + "/manifest.json").value_or(""),
                Not(HasSubstr("model.safetensors")));
    EXPECT_EQ(total, 9);
    EXPECT_TRUE(Fetch(kModel, dir.path(), how).ok()) << "again";
  }
}

// Wherever it breaks off, nothing carries its own name before it is whole, and the next try goes on
// behind what is here.
TEST(DownloadTest, GoesOnWhereItBrokeOff) {
  for (int pieces = 1; pieces < 10; ++pieces) {
    fake::TempDir dir;
    {
      Receiver broken(dir.path(), {});
      absl::Status status;
      EXPECT_FALSE(Send(kModel, broken, status, pieces)) << pieces;
      EXPECT_FALSE(broken.Finish().ok()) << pieces;
    }
    EXPECT_FALSE(FileExists(dir.path() + "/manifest.json")) << pieces;
    for (const auto& [path, content] : Read(dir.path(), kModel)) {
      EXPECT_EQ(content, kModel.at(path)) << pieces;
    }
    Receiver next(dir.path(), {});
    absl::Status status;
    Send(kModel, next, status);
    int64_t here = 0;
    for (const auto& [path, bytes] : next.has()) here += bytes;
    EXPECT_EQ(absl::IsAborted(status), pieces >= 2) << pieces << " " << status;
    EXPECT_TRUE(pieces < 2 || here > 0) << pieces;
    EXPECT_TRUE(Fetch(kModel, dir.path()).ok()) << pieces;
    EXPECT_EQ(Read(dir.path(), kModel), kModel) << pieces;
  }
}

TEST(DownloadTest, WhatIsThereAlreadyIsNotFetchedAgain) {
  fake::TempDir dir;
  ASSERT_TRUE(Fetch(kModel, dir.path()).ok());
  Receiver again(dir.path(), {});
  absl::Status status;
  Send(kModel, again, status);
  EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(again.has(), UnorderedElementsAre(Pair("config.json", 2), Pair("empty", 0),
                                                Pair("model.safetensors", 10), Pair("sub/a", 7)));
}

TEST(DownloadTest, SomethingElseIsNotOverwrittenUnlessAsked) {
  fake::TempDir dir;
  ASSERT_TRUE(WriteFileAtomically(dir.path() + "/config.json", "mine").ok());
  const absl::Status refused = Fetch(kModel, dir.path());
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("/config.json is there already"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--out"));
  EXPECT_EQ(ReadFile(dir.path() + "/config.json").value_or(""), "mine");
  DownloadOptions how;
  how.replace = true;
  EXPECT_TRUE(Fetch(kModel, dir.path(), how).ok());
  EXPECT_EQ(Read(dir.path(), kModel), kModel);
  // Another download in the same place would mix two models.
  const absl::Status mixed = Fetch({{"other.bin", "x"}}, dir.path());
  EXPECT_EQ(mixed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(mixed.message()), HasSubstr("another download"));
}

TEST(DownloadTest, DamageIsNoticedAndNotKept) {
  fake::TempDir dir;
  {
    Receiver receiver(dir.path(), {});
    ASSERT_TRUE(receiver.OnChunk("manifest.json", 0, ManifestOf(kModel)).ok());
    ASSERT_TRUE(receiver.OnChunk("config.json", 0, "{]").ok());
    const absl::Status damaged = receiver.OnChunk("model.safetensors", 0, "012");
    EXPECT_EQ(damaged.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(damaged.message()), HasSubstr("config.json is damaged"));
  }
  EXPECT_THAT(Parts(dir.path()), ElementsAre());
  EXPECT_FALSE(FileExists(dir.path() + "/config.json"));
  // A part that was changed meanwhile is fetched from its beginning at the second try.
  const std::string part =
      absl::StrCat(dir.path(), "/model.safetensors.",
                   Sha256Hex(kModel.at("model.safetensors")).substr(0, 12), ".part");
  ASSERT_TRUE(WriteFileAtomically(part, "xxx").ok());
  EXPECT_EQ(Fetch(kModel, dir.path()).code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(Fetch(kModel, dir.path()).ok());
  EXPECT_EQ(Read(dir.path(), kModel), kModel);
}

TEST(DownloadTest, NamesThatLeadOutOfTheDirectoryAreRefused) {
  for (const char* path : {"../a", "/a", "a/../../b", "", "manifest.json"}) {
    fake::TempDir dir;
    Receiver receiver(dir.path(), {});
    ASSERT_TRUE(receiver.OnChunk("manifest.json", 0, ManifestOf({{path, "x"}})).ok());
    EXPECT_EQ(receiver.OnChunk("a", 0, "x").code(), absl::StatusCode::kDataLoss) << path;
  }
  fake::TempDir dir;
  Receiver receiver(dir.path(), {});
  ASSERT_TRUE(receiver.OnChunk("manifest.json", 0, ManifestOf(kModel)).ok());
  EXPECT_EQ(receiver.OnChunk("stranger", 0, "x").code(), absl::StatusCode::kDataLoss);
}

// Streams kModel; the first time it breaks off within a file. An old one does not know `have`.
class CutOff final : public v1::ExperimentService::Service {
 public:
  explicit CutOff(bool old) : old_(old) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int calls() const { return calls_; }

  grpc::Status Download(grpc::ServerContext*, const v1::DownloadRequest* request,
                        grpc::ServerWriter<v1::FileChunk>* writer) override {
    std::map<std::string, int64_t> has;
    if (!old_) {
      for (const v1::FilePart& part : request->have()) has[part.path()] = part.bytes();
    }
    int left = ++calls_ == 1 ? 3 : 1000;
    const auto say = [&](const std::string& path, int64_t offset, const std::string& data) {
      v1::FileChunk chunk;
      chunk.set_path(path);
      chunk.set_offset(offset);
      chunk.set_data(data);
      writer->Write(chunk);
      return --left > 0;
    };
    const grpc::Status gone(grpc::StatusCode::UNAVAILABLE, "Socket closed");
    if (!say("manifest.json", 0, ManifestOf(kModel))) return gone;
    for (const auto& [path, content] : kModel) {
      size_t at = static_cast<size_t>(has[path]);
      if (at > 0 && at == content.size()) continue;
      do {
        if (!say(path, static_cast<int64_t>(at), content.substr(at, 3))) return gone;
        at += 3;
      } while (at < content.size());
    }
    return grpc::Status::OK;
  }

 private:
  const bool old_;
  int port_ = 0, calls_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST(DownloadTest, TheClientWaitsLostContactOut) {
  for (const bool old : {false, true}) {
    fake::TempDir dir;
    CutOff coordinator(old);
    ClientOptions options;
    options.coordinator = coordinator.address();
    options.patience_seconds = 5;
    const auto client = Connect(options);
    ASSERT_TRUE(client.ok()) << client.status();
    const absl::Status fetched = (*client)->Download("k-1/merged", dir.path(), {});
    EXPECT_TRUE(fetched.ok()) << fetched;
    EXPECT_EQ(Read(dir.path(), kModel), kModel) << old;
    EXPECT_EQ(coordinator.calls(), 2) << old;
  }
}

TEST(ProgressTest, TheLineFitsAndSaysShareAndSize) {
  EXPECT_EQ(ProgressLine("model", 50'000'000, 200'000'000, 79), "model   25 % of 200.0 MB");
  EXPECT_EQ(ProgressLine("model", 0, 0, 79), "model  100 % of 0 B");
  EXPECT_LE(ProgressLine(std::string(200, 'x'), 1, 2, 40).size(), 43u);
}

}  // namespace
}  // namespace scm::ctl
