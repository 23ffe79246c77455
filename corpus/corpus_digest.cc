#include "corpus/corpus_digest.h"

#include "absl/strings/str_cat.h"
#include "common/digest.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "corpus/corpus_files.h"

namespace scm {

absl::StatusOr<std::string> CorpusDigest(const std::string& directory) {
  SCM_ASSIGN_OR_RETURN(const std::vector<std::string> files, CorpusFiles(directory));
  const absl::string_view zero("\0", 1);
  Sha256 hash;
  for (const std::string& file : files) {
    SCM_ASSIGN_OR_RETURN(const std::string content, ReadFile(absl::StrCat(directory, "/", file)));
    hash.Update(absl::StrCat(file, zero, content.size(), zero));
    hash.Update(content);
  }
  return hash.Finish();
}

}  // namespace scm
