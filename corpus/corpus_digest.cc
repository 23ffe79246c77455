#include "corpus/corpus_digest.h"

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/corpus_files.h"

namespace scm::corpus {

void AddToCorpusDigest(absl::string_view name, absl::string_view content, Sha256& hash) {
  const absl::string_view zero("\0", 1);
  hash.Update(absl::StrCat(name, zero, content.size(), zero));
  hash.Update(content);
}

absl::StatusOr<std::string> CorpusDigest(const std::string& directory) {
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> files, CorpusFiles(directory));
  Sha256 hash;
  for (const std::string& file : files) {
    SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(absl::StrCat(directory, "/", file)));
    AddToCorpusDigest(file, content, hash);
  }
  return hash.Finish();
}

}  // namespace scm::corpus
