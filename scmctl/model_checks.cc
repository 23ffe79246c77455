#include "scmctl/model_checks.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "trainer/data/input_warnings.h"

namespace scm::ctl {
namespace {

void Add(ParsedExperiment& parsed, const std::string& key, int line,
         const std::vector<std::string>& messages) {
  for (const std::string& message : messages) parsed.warnings.push_back({line, key, message});
}

// What is trained on or scored with this model. Only what the built-in trainer trains learns an end
// token.
std::optional<DataSpec> DataFor(const NamedInput& input, const ParsedExperiment& parsed) {
  if (!parsed.spec) return std::nullopt;
  std::optional<DataSpec> data = DataForBuiltIns(*parsed.spec);
  const bool trained = parsed.spec->trainer.built_in() && absl::StartsWith(input.key, "model.");
  if (data) data->end_token = data->end_token && trained;
  return data;
}

// The markup of the base's special tokens, at the place where the corpus is named.
void CheckMarkup(const corpus::Corpus& corpus, const model::Tokenizer& tokenizer,
                 const DataSpec& data, ParsedExperiment& parsed) {
  const bool documents = parsed.spec->trainer.built_in() && parsed.spec->training.loss_on == "all";
  for (const NamedInput& input : parsed.inputs) {
    if (input.kind != NamedInput::Kind::kCorpus) continue;
    Add(parsed, input.key, input.line, trainer::MarkupWarnings(corpus, tokenizer, data, documents));
  }
}

absl::Status CheckModel(const NamedInput& input, const corpus::Corpus* corpus,
                        ParsedExperiment& parsed) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::ModelSource> model,
                       model::OpenModel(input.path));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::Tokenizer> tokenizer, model->MakeTokenizer());
  const std::optional<DataSpec> data = DataFor(input, parsed);
  if (data) {
    SCM_RETURN_IF_ERROR(model::CheckWindow(model->config(), data->max_length, input.path));
  }
  Add(parsed, input.key, input.line,
      trainer::ModelWarnings(*model, *tokenizer, data ? &*data : nullptr));
  if (input.key == "model.base" && data && corpus != nullptr) {
    CheckMarkup(*corpus, *tokenizer, *data, parsed);
  }
  return absl::OkStatus();
}

}  // namespace

void CheckModels(ParsedExperiment& parsed, const corpus::Corpus* corpus) {
  for (const NamedInput& input : parsed.inputs) {
    if (input.kind != NamedInput::Kind::kModel) continue;
    const absl::Status status = CheckModel(input, corpus, parsed);
    if (!status.ok()) {
      parsed.errors.push_back({input.line, input.key, std::string(status.message())});
    }
  }
}

}  // namespace scm::ctl
