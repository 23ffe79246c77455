#include "corpus/input_check.h"

#include <gmock/gmock.h>

#include "common/digest.h"
#include "corpus/corpus_digest.h"
#include "corpus/loader.h"
#include "tests/corpus/corpus_on_disk.h"

namespace scm::corpus {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InputCheckTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(Path(name), content).ok());
  }
  std::string Path(const std::string& name) const { return disk_.path() + "/" + name; }
  // As it is recorded, sent and read again.
  InputRecord Record(const std::string& path, InputKind kind) {
    FileDigests digests;
    const auto record = RecordInput("the.key", path, kind, digests);
    EXPECT_TRUE(record.ok()) << record.status();
    const Json json = {{"inputs", InputRecordsToJson({*record})}};
    const std::vector<InputRecord> read = InputRecordsFromJson(json, "", "");
    EXPECT_EQ(read.size(), 1u);
    return read[0];
  }
  std::string Problem(const InputRecord& record) {
    FileDigests digests;
    const absl::Status status = CheckInput(record, digests);
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }

  CorpusOnDisk disk_{{"documents/a.jsonl", DocumentJson("d1").dump()},
                     {"items/a.jsonl", ItemJson("i1", "d1").dump()},
                     {"items/b.jsonl", ItemJson("i2", "d1").dump()}};
};

TEST_F(InputCheckTest, ACorpusStaysWhatItWas) {
  const InputRecord record = Record(disk_.path(), InputKind::kCorpus);
  EXPECT_EQ(record.sha256, *CorpusDigest(disk_.path()));
  EXPECT_EQ(Problem(record), "");
  Write("items/notes.txt", "no part of it");
  EXPECT_EQ(Problem(record), "");

  const std::string before = *ReadFile(Path("items/b.jsonl"));
  std::string after = before;
  after[after.find("\"gold\":0") + 7] = '1';  // the same size
  Write("items/b.jsonl", after);
  EXPECT_THAT(Problem(record),
              AllOf(HasSubstr(Path("items/b.jsonl") + " is not what it was"),
                    HasSubstr(Sha256Hex(before)), HasSubstr(Sha256Hex(after)),
                    HasSubstr("Restore it, or submit the experiment again"), HasSubstr("the.key")));
  Write("items/b.jsonl", before);
  EXPECT_EQ(Problem(record), "");

  Write("items/c.jsonl", "");
  EXPECT_THAT(Problem(record), HasSubstr("items/c.jsonl was not there when"));
  ASSERT_TRUE(RemoveRecursively(Path("items/c.jsonl")).ok());
  ASSERT_TRUE(RemoveRecursively(Path("items/a.jsonl")).ok());
  EXPECT_THAT(Problem(record), HasSubstr("items/a.jsonl was there when"));
  ASSERT_TRUE(RemoveRecursively(disk_.path()).ok());
  EXPECT_THAT(Problem(record), HasSubstr("Restore it"));
}

TEST_F(InputCheckTest, AModelIsEveryFileThatIsReadOfIt) {
  ASSERT_TRUE(MakeDirectories(Path("m")).ok());
  for (const char* name :
       {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"}) {
    Write(std::string("m/") + name, name);
  }
  const InputRecord record = Record(Path("m"), InputKind::kModel);
  std::vector<std::string> names;
  for (const auto& file : record.files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("chat_template.jinja", "config.json", "model.safetensors",
                                 "tokenizer.json"));
  // What earlier versions recorded: every name with its digest, but not the template.
  std::string all;
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    absl::StrAppend(&all, name, " ", Sha256Hex(name), "\n");
  }
  EXPECT_EQ(record.sha256, Sha256Hex(all));
  Write("m/README.md", "more");
  EXPECT_EQ(Problem(record), "");
  for (const char* name : {"config.json", "model.safetensors", "chat_template.jinja"}) {
    Write(std::string("m/") + name, "another");
    EXPECT_THAT(Problem(record), HasSubstr(std::string("m/") + name + " is not what it was"));
    Write(std::string("m/") + name, name);
  }
  Write("m/model.safetensors.index.json", "{}");
  EXPECT_THAT(Problem(record), HasSubstr("model.safetensors.index.json was not there"));
}

// Of two tokenizers one is read: what an earlier version recorded stays right.
TEST_F(InputCheckTest, RanksCountWhereThereIsNoOtherTokenizer) {
  for (const bool other : {false, true}) {
    const std::string folder = other ? "both" : "ranks";
    ASSERT_TRUE(MakeDirectories(Path(folder)).ok());
    Write(folder + "/config.json", "{}");
    if (other) Write(folder + "/tokenizer.json", "{}");
    const InputRecord before = Record(Path(folder), InputKind::kModel);
    Write(folder + "/tokenizer.model", "YQ== 0\n");
    EXPECT_EQ(Problem(before).empty(), other);
    const InputRecord record = Record(Path(folder), InputKind::kModel);
    Write(folder + "/tokenizer.model", "YQ== 1\n");
    EXPECT_EQ(Problem(record).empty(), other);
  }
}

TEST_F(InputCheckTest, AFileIsItself) {
  Write("p.jsonl", "{}");
  const InputRecord record = Record(Path("p.jsonl"), InputKind::kFile);
  EXPECT_EQ(record.sha256, Sha256Hex("{}"));
  EXPECT_EQ(Problem(record), "");
  Write("p.jsonl", "[]");
  EXPECT_THAT(Problem(record), HasSubstr(Path("p.jsonl") + " is not what it was"));
  ASSERT_TRUE(RemoveRecursively(Path("p.jsonl")).ok());
  EXPECT_THAT(Problem(record), HasSubstr("is no longer there"));
}

// A checkpoint is one, with files that only a resumed training reads.
TEST_F(InputCheckTest, AnAdapterIsItsTwoFiles) {
  ASSERT_TRUE(MakeDirectories(Path("a")).ok());
  for (const char* name :
       {"adapter_config.json", "adapter_model.safetensors", "optimizer.safetensors"}) {
    Write(std::string("a/") + name, name);
  }
  const InputRecord record = Record(Path("a"), InputKind::kAdapter);
  std::vector<std::string> names;
  for (const auto& file : record.files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("adapter_config.json", "adapter_model.safetensors"));
  Write("a/optimizer.safetensors", "another");
  Write("a/README.md", "new");
  EXPECT_EQ(Problem(record), "");
  const std::vector<InputRecord> read =
      InputRecordsFromJson(Json{{"inputs", InputRecordsToJson({record})}}, "", "");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].kind, InputKind::kAdapter);
  for (const std::string& name : names) {
    Write("a/" + name, "another");
    EXPECT_THAT(Problem(read[0]), HasSubstr("a/" + name + " is not what it was"));
    Write("a/" + name, name);
  }
}

TEST_F(InputCheckTest, ManyFilesAreComparedAsAWhole) {
  for (size_t i = 0; i < InputRecord::kMostListed; ++i) {
    Write(absl::StrCat("items/x", i, ".jsonl"), "\n");
  }
  const InputRecord record = Record(disk_.path(), InputKind::kCorpus);
  EXPECT_TRUE(record.files.empty());
  EXPECT_EQ(Problem(record), "");
  Write("items/x7.jsonl", "\n\n");
  EXPECT_THAT(Problem(record), HasSubstr(disk_.path() + " is not what it was"));
}

TEST_F(InputCheckTest, RecordsOfEarlierVersionsAreTwoDigests) {
  const std::vector<InputRecord> records = InputRecordsFromJson(
      Json{{"corpus", *CorpusDigest(disk_.path())}, {"model", "ab"}}, "/m", disk_.path());
  ASSERT_EQ(records.size(), 2u);
  const InputRecord* corpus = FindRecord(records, disk_.path());
  ASSERT_NE(corpus, nullptr);
  EXPECT_EQ(Problem(*corpus), "");
  Write("corpus.json", "{}");
  EXPECT_THAT(Problem(*corpus), HasSubstr("is not what it was"));
  EXPECT_NE(FindRecord(records, "/m"), nullptr);
  EXPECT_EQ(FindRecord(records, "/x/../m/"), FindRecord(records, "/m"));
  EXPECT_EQ(FindRecord(records, "/elsewhere"), nullptr);
  EXPECT_TRUE(InputRecordsFromJson(Json::object(), "/m", "/c").empty());
}

// What was loaded and what its digest says cannot be two things.
TEST_F(InputCheckTest, TheLoadersDigestIsThatOfWhatItRead) {
  Write("corpus.json", "{\"name\": \"n\"}");
  EXPECT_EQ(LoadCorpus(disk_.path()).corpus.digest, *CorpusDigest(disk_.path()));
}

}  // namespace
}  // namespace scm::corpus
