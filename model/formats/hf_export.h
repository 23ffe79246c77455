// The files that make a Hugging Face model directory complete beside its weights, taken or made
// from the model that was trained.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/model_source.h"

namespace scm::model {

struct CompanionFile {
  std::string name;  // "config.json"
  std::string content;
};

// For a Hugging Face directory its config.json, tokenizer files and generation_config.json, changed
// only where other programs would read them otherwise than scm did (tied embeddings, the class of
// the tokenizer, its start token); for a GGUF file config.json (with `dtype`, as torch names it),
// tokenizer.json and tokenizer_config.json made from the metadata.
absl::StatusOr<std::vector<CompanionFile>> CompanionFiles(const ModelSource& model,
                                                          absl::string_view dtype);

}  // namespace scm::model
