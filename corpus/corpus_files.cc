#include "corpus/corpus_files.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"

namespace scm::corpus {
namespace fs = std::filesystem;

bool IsCorpusFileName(const std::string& name) {
  return !absl::StartsWith(name, ".") && absl::EndsWith(name, ".jsonl");
}

absl::StatusOr<std::vector<std::string>> CorpusFiles(const std::string& directory) {
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    return absl::NotFoundError(absl::StrCat(
        directory, ": no such directory; expected a corpus with documents/ and items/"));
  }
  std::vector<std::string> files;
  for (const char* folder : {"documents", "items"}) {
    const std::string path = absl::StrCat(directory, "/", folder);
    if (!fs::is_directory(path, ignored)) continue;
    SCM_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(path));
    for (const std::string& name : names) {
      if (IsCorpusFileName(name)) files.push_back(absl::StrCat(folder, "/", name));
    }
  }
  if (FileExists(absl::StrCat(directory, "/", kCorpusInfoFile))) files.push_back(kCorpusInfoFile);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace scm::corpus
