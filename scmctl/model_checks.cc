#include "scmctl/model_checks.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status_macros.h"
#include "model/formats/hf_family.h"
#include "model/model_source.h"
#include "model/open_model.h"
#include "scmctl/trial_packing.h"
#include "trainer/data/adapter_input.h"
#include "trainer/data/chat_examples.h"
#include "trainer/data/input_warnings.h"
#include "trainer/data/pack_memory.h"

namespace scm::ctl {
namespace {

void Add(ParsedExperiment& parsed, const std::string& key, int line,
         const std::vector<std::string>& messages) {
  for (const std::string& message : messages) parsed.warnings.push_back({line, key, message});
}

// A refusal that begins with the key of the section `lora`. Two bases may have the same.
void AddLoraError(ParsedExperiment& parsed, const absl::Status& status) {
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(status.message(), absl::MaxSplits(": ", 1));
  const std::string key = absl::StrCat("lora.", parts.first);
  for (const Diagnostic& error : parsed.errors) {
    if (error.key == key) return;
  }
  const auto line = parsed.lines.find(key);
  parsed.errors.push_back({line == parsed.lines.end() ? 0 : line->second, key, parts.second});
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

// Each base is one that may be trained.
void CheckAdapters(const NamedInput& input, const model::LlamaConfig& base,
                   ParsedExperiment& parsed) {
  const bool trained = absl::StartsWith(input.key, "model.");
  if (!trained || !parsed.spec || !parsed.spec->trainer.built_in()) return;
  const absl::Status patterns = trainer::CheckLoraPatterns(parsed.spec->lora, base);
  if (!patterns.ok()) return AddLoraError(parsed, patterns);
  // The path is looked at already.
  const bool there = std::any_of(parsed.inputs.begin(), parsed.inputs.end(), [](const auto& named) {
    return named.kind == NamedInput::Kind::kAdapter;
  });
  if (!there) return;
  const absl::Status init = trainer::OpenInit(parsed.spec->lora, base).status();
  if (!init.ok()) AddLoraError(parsed, init);
}

// `base`: where the shape of model.base goes.
absl::Status CheckModel(const NamedInput& input, const corpus::Corpus* corpus,
                        ParsedExperiment& parsed, std::optional<model::LlamaConfig>& base) {
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::ModelSource> model,
                       model::OpenModel(input.path));
  SCM_ASSIGN_OR_RETURN(const std::unique_ptr<model::Tokenizer> tokenizer, model->MakeTokenizer());
  CheckAdapters(input, model->config(), parsed);
  const std::optional<DataSpec> data = DataFor(input, parsed);
  if (data) {
    SCM_RETURN_IF_ERROR(model::CheckWindow(model->config(), data->max_length, input.path));
  }
  Add(parsed, input.key, input.line,
      trainer::ModelWarnings(*model, *tokenizer, data ? &*data : nullptr));
  if (input.key == "model.base") base = model->config();
  if (input.key == "model.base" && data && corpus != nullptr) {
    CheckMarkup(*corpus, *tokenizer, *data, parsed);
    if (!parsed.spec->trainer.built_in()) return absl::OkStatus();
    SCM_ASSIGN_OR_RETURN(const std::optional<trainer::ChatEncoder> chat,
                         trainer::ChatEncoderFor(*corpus, *model, *tokenizer));
    if (chat) {
      Add(parsed, input.key, input.line, trainer::ChatWarnings(*model, *tokenizer, *chat, *data));
    }
  }
  return absl::OkStatus();
}

// Several processes train one run, so that `auto` does not make one of several runs.
void DoNotPack(ParsedExperiment& parsed) {
  ExperimentSpec& spec = *parsed.spec;
  if (!spec.trainer.built_in()) return;
  const bool auto_sweep = spec.sweep && spec.HasStage(StageKind::kSweep) && !spec.sweep->packed;
  const bool auto_seeds = spec.HasStage(StageKind::kReplicate) && !spec.replicate.packed;
  if (auto_sweep) spec.sweep->packed = false;
  if (!spec.replicate.packed) spec.replicate.packed = false;
  if (!auto_sweep && !auto_seeds) return;
  parsed.packing = absl::StrCat("each run is trained by ", spec.resources.ranks,
                                " processes (resources.ranks): nothing is packed");
}

// `base` is null where it is not known, or another's trainer trains it.
void DecidePacking(const model::LlamaConfig* base, ParsedExperiment& parsed) {
  if (parsed.spec->resources.ranks > 1) return DoNotPack(parsed);
  std::vector<std::string> texts = {PackTrials(base, *parsed.spec)};
  if (base != nullptr && !parsed.spec->replicate.packed) {
    const trainer::PackDecision decision = trainer::DecidePack(*base, *parsed.spec);
    parsed.spec->replicate.packed = decision.packed;
    texts.push_back(decision.reason);
  }
  std::erase(texts, "");
  parsed.packing = absl::StrJoin(texts, "; ");
}

}  // namespace

void CheckModels(ParsedExperiment& parsed, const corpus::Corpus* corpus) {
  std::optional<model::LlamaConfig> base;
  for (const NamedInput& input : parsed.inputs) {
    if (input.kind != NamedInput::Kind::kModel) continue;
    const absl::Status status = CheckModel(input, corpus, parsed, base);
    if (!status.ok()) {
      parsed.errors.push_back({input.line, input.key, std::string(status.message())});
    }
  }
  if (!parsed.spec) return;
  DecidePacking(base && parsed.spec->trainer.built_in() ? &*base : nullptr, parsed);
}

}  // namespace scm::ctl
