#include "model/formats/hf_tokenizer.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "model/formats/hf_tokenizer_settings.h"
#include "model/formats/mapped_file.h"
#include "model/tokenize/tiktoken.h"
#include "model/tokenize/tokenizer_json.h"

namespace scm::model {

absl::StatusOr<HuggingFaceTokenizer> ReadTokenizer(const std::string& directory,
                                                   const LlamaConfig& config) {
  HuggingFaceTokenizer found{directory + "/tokenizer.json", {}};
  const bool json = FileExists(found.path);
  if (!json) found.path = directory + "/tokenizer.model";
  if (!FileExists(found.path)) {
    return absl::NotFoundError(
        absl::StrCat(directory,
                     " holds no tokenizer.json; save the tokenizer with a fast tokenizer of "
                     "transformers (AutoTokenizer … save_pretrained) to make one"));
  }
  SCM_ASSIGN_OR_RETURN(const TokenizerSettings settings, ReadTokenizerSettings(directory, config));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> text, MappedFile::Open(found.path));
  const auto read = json ? TokenizerPartsFromJson : TokenizerPartsFromTiktoken;
  SCM_ASSIGN_OR_RETURN(found.parts, read(text->bytes(), settings, found.path));
  return found;
}

}  // namespace scm::model
