#include "corpus/input_check.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/corpus_digest.h"
#include "corpus/corpus_files.h"

namespace scm::corpus {
namespace {

constexpr const char* kKindNames[] = {"model", "corpus", "file", "adapter"};

const char* KindName(InputKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

// What is read of a model's directory. The chat template is compared by itself and has never been
// part of the digest of the whole.
bool IsOfModel(const std::string& name) {
  return absl::EndsWith(name, ".json") || absl::EndsWith(name, ".safetensors") ||
         absl::EndsWith(name, ".jinja");
}

bool CountsInWhole(const std::string& name) { return !absl::EndsWith(name, ".jinja"); }

// Relative names, sorted; "" for an input that is one file.
absl::StatusOr<std::vector<std::string>> FilesOf(InputKind kind, const std::string& path) {
  if (kind == InputKind::kCorpus) return CorpusFiles(path);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, " is no longer there"));
  }
  if (kind == InputKind::kAdapter) {
    return std::vector<std::string>{"adapter_config.json", "adapter_model.safetensors"};
  }
  if (kind == InputKind::kFile || !std::filesystem::is_directory(path, error)) {
    return std::vector<std::string>{""};
  }
  SCM_ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(path));
  // Of two tokenizers only the first is read.
  const bool json = std::find(names.begin(), names.end(), "tokenizer.json") != names.end();
  std::erase_if(names, [json](const std::string& name) {
    return !IsOfModel(name) && (json || name != "tokenizer.model");
  });
  return names;
}

std::string PathOf(const std::string& path, const std::string& name) {
  return name.empty() ? path : absl::StrCat(path, "/", name);
}

absl::StatusOr<std::string> WholeOf(const InputRecord& record) {
  if (record.kind == InputKind::kCorpus) return CorpusDigest(record.path);
  if (record.files.size() == 1 && record.files[0].name.empty()) return record.files[0].sha256;
  Sha256 all;
  for (const InputRecord::File& file : record.files) {
    if (CountsInWhole(file.name)) all.Update(absl::StrCat(file.name, " ", file.sha256, "\n"));
  }
  return all.Finish();
}

std::string Advice(const InputRecord& record) {
  return absl::StrCat("Restore it, or submit the experiment again (", record.key, ": ", record.path,
                      ")");
}

absl::Status Differs(const InputRecord& record, const std::string& what, const std::string& then,
                     const std::string& now) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is not what it was when the experiment was submitted: SHA-256 ", then,
                   " was recorded then, ", now, " is found here now. ", Advice(record)));
}

absl::Status CheckNames(const InputRecord& record, const std::vector<std::string>& now) {
  std::vector<std::string> then;
  for (const InputRecord::File& file : record.files) then.push_back(file.name);
  std::sort(then.begin(), then.end());
  for (const std::string& name : then) {
    if (std::binary_search(now.begin(), now.end(), name)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(PathOf(record.path, name), " was there when the experiment was submitted and ",
                     "is not found here now. ", Advice(record)));
  }
  for (const std::string& name : now) {
    if (std::binary_search(then.begin(), then.end(), name)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(PathOf(record.path, name), " was not there when the experiment was submitted ",
                     "and is found here now. Remove it, or submit the experiment again (",
                     record.key, ": ", record.path, ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<InputRecord> Record(const InputRecord& what, FileDigests& digests) {
  InputRecord record{what.key, what.path, what.kind, "", {}};
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> names, FilesOf(what.kind, what.path));
  for (const std::string& name : names) {
    SCM_ASSIGN_OR_RETURN(const FileDigest digest, digests.Of(PathOf(what.path, name)));
    record.files.push_back({name, digest.bytes, digest.sha256});
  }
  SCM_ASSIGN_OR_RETURN(record.sha256, WholeOf(record));
  return record;
}

InputRecord RecordFromJson(const Json& json) {
  InputRecord record;
  record.key = StringAt(json, "key");
  record.path = StringAt(json, "path");
  record.sha256 = StringAt(json, "sha256");
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (StringAt(json, "kind") == kKindNames[i]) record.kind = static_cast<InputKind>(i);
  }
  for (const Json& file : MemberAt(json, "files")) {
    record.files.push_back(
        {StringAt(file, "name"), IntegerAt(file, "bytes", 0), StringAt(file, "sha256")});
  }
  return record;
}

}  // namespace

absl::StatusOr<InputRecord> RecordInput(const std::string& key, const std::string& path,
                                        InputKind kind, FileDigests& digests) {
  SCM_ASSIGN_OR_RETURN(InputRecord record, Record({key, path, kind, "", {}}, digests));
  if (record.files.size() > InputRecord::kMostListed) record.files.clear();
  return record;
}

absl::Status CheckInput(const InputRecord& record, FileDigests& digests) {
  if (record.files.empty()) {
    const absl::StatusOr<InputRecord> now = Record(record, digests);
    if (absl::IsNotFound(now.status())) {
      return absl::InvalidArgumentError(absl::StrCat(now.status().message(), ". ", Advice(record)));
    }
    if (!now.ok()) return now.status();
    return CheckWhatWasRead(record, now->sha256);
  }
  const absl::StatusOr<std::vector<std::string>> names = FilesOf(record.kind, record.path);
  if (absl::IsNotFound(names.status())) {
    return absl::InvalidArgumentError(absl::StrCat(names.status().message(), ". ", Advice(record)));
  }
  if (!names.ok()) return names.status();
  SCM_RETURN_IF_ERROR(CheckNames(record, *names));
  for (const InputRecord::File& file : record.files) {
    const std::string path = PathOf(record.path, file.name);
    SCM_ASSIGN_OR_RETURN(const FileDigest now, digests.Of(path));
    if (now.sha256 != file.sha256) return Differs(record, path, file.sha256, now.sha256);
  }
  return absl::OkStatus();
}

absl::Status CheckWhatWasRead(const InputRecord& record, const std::string& sha256) {
  if (record.sha256 == sha256) return absl::OkStatus();
  return Differs(record, record.path, record.sha256, sha256);
}

Json InputRecordsToJson(const std::vector<InputRecord>& records) {
  Json list = Json::array();
  for (const InputRecord& record : records) {
    Json files = Json::array();
    for (const InputRecord::File& file : record.files) {
      files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    }
    list.push_back({{"key", record.key},
                    {"path", record.path},
                    {"kind", KindName(record.kind)},
                    {"sha256", record.sha256},
                    {"files", files}});
  }
  return list;
}

std::vector<InputRecord> InputRecordsFromJson(const Json& digests, const std::string& model,
                                              const std::string& corpus) {
  std::vector<InputRecord> records;
  const Json& inputs = MemberAt(digests, "inputs");
  if (inputs.is_array()) {
    for (const Json& input : inputs) records.push_back(RecordFromJson(input));
    return records;
  }
  const std::string of_model = StringAt(digests, "model"), of_corpus = StringAt(digests, "corpus");
  if (!of_model.empty()) records.push_back({"model.base", model, InputKind::kModel, of_model, {}});
  if (!of_corpus.empty()) {
    records.push_back({"data.corpus", corpus, InputKind::kCorpus, of_corpus, {}});
  }
  return records;
}

const InputRecord* FindRecord(const std::vector<InputRecord>& records, const std::string& path) {
  // Sections that are passed through hold paths as the user wrote them.
  const std::string wanted = AbsolutePath(path, "/");
  const auto found = std::find_if(records.begin(), records.end(), [&](const InputRecord& record) {
    return AbsolutePath(record.path, "/") == wanted;
  });
  return found == records.end() ? nullptr : &*found;
}

}  // namespace scm::corpus
