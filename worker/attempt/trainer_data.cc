#include "worker/attempt/trainer_data.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "common/task_kind.h"
#include "common/trainer_command.h"
#include "corpus/input_check.h"
#include "corpus/loader.h"
#include "corpus/split.h"
#include "worker/log.h"
#include "worker/process/attempt_files.h"

namespace scm::worker {
namespace {

// Whether the task is carried out by another program than the built-in ones.
bool IsOnesOwn(const Json& spec) {
  const auto kind = TaskKindFromName(StringAt(MemberAt(spec, "task"), "kind"));
  const Json& command = MemberAt(MemberAt(MemberAt(spec, "parameters"), "trainer"), "command");
  return kind && IsTraining(*kind) && command.is_array() && !command.empty() &&
         command[0].is_string() && !IsBuiltInProgram(command[0].get<std::string>());
}

// "" where data.corpus is something of the trainer's own.
std::string CorpusOf(const Json& data) {
  const std::string path = StringAt(data, "corpus");
  std::error_code error;
  const bool ours = !path.empty() && path[0] == '/' &&
                    std::filesystem::is_directory(path + "/documents", error) &&
                    std::filesystem::is_directory(path + "/items", error);
  return ours ? path : "";
}

corpus::SplitOptions OptionsOf(const Json& data) {
  const Json& split = MemberAt(data, "split");
  corpus::SplitOptions options;
  options.train = NumberAt(split, "train", options.train);
  options.validation = NumberAt(split, "validation", options.validation);
  options.test = NumberAt(split, "test", options.test);
  options.seed = IntegerAt(split, "seed", options.seed);
  return options;
}

// {"train": [ids], "validation": […], "test": […]}.
template <typename Things>
Json IdsBySplit(const Things& things, const std::vector<corpus::Split>& splits) {
  Json ids = Json::object();
  for (const corpus::Split split : corpus::kAllSplits)
    ids[corpus::SplitName(split)] = Json::array();
  for (size_t i = 0; i < things.size(); ++i)
    ids[corpus::SplitName(splits[i])].push_back(things[i].id);
  return ids;
}

absl::StatusOr<Json> SplitOf(const std::string& path, const corpus::SplitOptions& options) {
  SCM_ASSIGN_OR_RETURN(const corpus::Corpus corpus, corpus::LoadCorpusOrError(path));
  SCM_ASSIGN_OR_RETURN(const corpus::SplitAssignment assignment,
                       corpus::AssignSplits(corpus, options));
  return Json{{"version", 1},
              {"corpus", path},
              {"sha256", corpus.digest},
              {"split",
               {{"train", options.train},
                {"validation", options.validation},
                {"test", options.test},
                {"seed", options.seed}}},
              {"documents", IdsBySplit(corpus.documents, assignment.documents)},
              {"items", IdsBySplit(corpus.items, assignment.items)}};
}

// By path: a sweep may name other data than the file does, of which there is no record.
absl::Status CompareInputs(const Json& parameters, const std::string& digest_cache) {
  FileDigests digests(digest_cache);
  const Json& recorded = MemberAt(MemberAt(parameters, "digests"), "inputs");
  const std::vector<corpus::InputRecord> records =
      corpus::InputRecordsFromJson(Json{{"inputs", recorded}}, "", "");
  for (const std::string& path : {StringAt(MemberAt(parameters, "data"), "corpus"),
                                  StringAt(MemberAt(parameters, "model"), "base")}) {
    const corpus::InputRecord* record = corpus::FindRecord(records, path);
    if (record != nullptr) SCM_RETURN_IF_ERROR(corpus::CheckInput(*record, digests));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status HandOverData(const std::string& directory, const std::string& digest_cache,
                          Json& spec) {
  spec["split_file"] = nullptr;
  if (!IsOnesOwn(spec)) return absl::OkStatus();
  const Json& parameters = MemberAt(spec, "parameters");
  SCM_RETURN_IF_ERROR(CompareInputs(parameters, digest_cache));
  const Json& data = MemberAt(parameters, "data");
  const std::string corpus = CorpusOf(data);
  if (corpus.empty()) return absl::OkStatus();
  const absl::StatusOr<Json> split = SplitOf(corpus, OptionsOf(data));
  if (!split.ok()) {
    WorkerLog(absl::StrCat("no split_file for ", corpus, ": ", split.status().message()));
    return absl::OkStatus();
  }
  const std::string path = absl::StrCat(directory, "/", attempt_files::kSplit);
  SCM_RETURN_IF_ERROR(WriteFileAtomically(path, DumpJson(*split) + "\n"));
  spec["split_file"] = path;
  return absl::OkStatus();
}

}  // namespace scm::worker
