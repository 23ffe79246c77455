// An input stays what it was: models, adapters, corpora and predictions are recorded file by file
// when an experiment is submitted, and whoever reads one later compares it first. Reads files;
// every function may be called from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/file_digests.h"
#include "common/json.h"

namespace scm::corpus {

// kModel: a Hugging Face directory or one file. kCorpus: documents/, items/, corpus.json. kFile: a
// file of predictions. kAdapter: the two files of peft in a directory that may hold others.
enum class InputKind { kModel, kCorpus, kFile, kAdapter };

struct InputRecord {
  struct File {
    std::string name;  // relative to the input; "" for an input that is one file
    int64_t bytes = 0;
    std::string sha256;
  };
  std::string key;  // where the experiment file names it: "model.base"
  std::string path;
  InputKind kind = InputKind::kFile;
  std::string sha256;       // of the whole
  std::vector<File> files;  // empty if there are more than kMostListed: then only the whole counts
  static constexpr size_t kMostListed = 200;
};

// Reads every byte that `digests` does not know.
absl::StatusOr<InputRecord> RecordInput(const std::string& key, const std::string& path,
                                        InputKind kind, FileDigests& digests);

// INVALID_ARGUMENT unless the input is what was recorded: which file is another, new or gone, the
// digest recorded and the digest found, and what to do.
absl::Status CheckInput(const InputRecord& record, FileDigests& digests);

// The same for content that was read whole: `sha256` is what was read.
absl::Status CheckWhatWasRead(const InputRecord& record, const std::string& sha256);

// `digests` of an experiment's spec: {"corpus", "model", "inputs": [{"key","path","kind","sha256",
// "files": [{"name","bytes","sha256"}]}]}.
Json InputRecordsToJson(const std::vector<InputRecord>& records);
// The records in it. A spec from before there were any names at most two digests; they are the
// records of `model` and `corpus`, without files.
std::vector<InputRecord> InputRecordsFromJson(const Json& digests, const std::string& model,
                                              const std::string& corpus);

// The record of an absolute path, however it is spelt; nullptr when it was not recorded.
const InputRecord* FindRecord(const std::vector<InputRecord>& records, const std::string& path);

}  // namespace scm::corpus
