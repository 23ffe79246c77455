// The sections that describe one training run: trainer, model, data, lora, training.
#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/text.h"
#include "common/utf8.h"
#include "experiment/read.h"
#include "experiment/scalar.h"

namespace scm::experiment_file {
namespace {

// The file itself is UTF-8, but the directories above it may have any name; and JSON, in which
// paths travel to workers and trainers, cannot hold every one.
bool IsText(const std::string& path, const std::string& key, Findings& findings) {
  if (FirstInvalidUtf8(path) == std::string::npos) return true;
  findings.ErrorAt(key, absl::StrCat(LineOf(path),
                                     " is not UTF-8. A directory above has a name in an older "
                                     "encoding: rename it (`convmv` does that), or move this file "
                                     "and what it names"));
  return false;
}

constexpr int64_t kMostTokens = 1 << 20;
constexpr int64_t kHighestRank = 4096;

// Doubled keys below a section that is passed through: the last would silently win.
void ReportDoubledKeys(const Node& node, const std::string& path, Findings& findings) {
  for (const NodePtr& item : node.items) ReportDoubledKeys(*item, path, findings);
  std::set<std::string> seen;
  for (const Entry& entry : node.entries) {
    const std::string key = absl::StrCat(path, ".", entry.key);
    if (!seen.insert(entry.key).second) {
      findings.Error(entry.place, key, "given twice. Remove one");
    } else {
      findings.NoteKey(key, entry.place);
    }
    ReportDoubledKeys(*entry.value, key, findings);
  }
}

Json PassThrough(Section& top, const std::string& key) {
  Presence presence;
  const Node* node = top.Child(key, presence);
  if (node == nullptr) return nullptr;
  ReportDoubledKeys(*node, key, top.findings());
  return ToJson(*node);
}

void ReadSplit(Section section, SplitSpec& split) {
  section.Read("train", split.train, kFraction);
  section.Read("validation", split.validation, kFraction);
  section.Read("test", split.test, kFraction);
  section.Read("by", split.by, Words{{"document"}});
  section.Read("seed", split.seed, kSeed);
  section.Finish();
}

void ReadCommand(Section& section, const std::string& base, TrainerSpec& trainer) {
  const Node* node = section.Child("command");
  if (node == nullptr) return;
  const std::string path = section.PathOf("command");
  if (node->kind != NodeKind::kList || node->items.empty()) {
    section.findings().ErrorAt(
        path, absl::StrCat("expected a list of words like [python3, train.py], ", Found(*node)));
    return;
  }
  std::vector<std::string> words;
  for (const NodePtr& item : node->items) {
    const std::optional<std::string> word = AsWordOrNumber(*item);
    if (!word || (words.empty() && word->empty())) {
      section.findings().Error(item->place, path, absl::StrCat("expected a word, ", Found(*item)));
      return;
    }
    words.push_back(*word);
  }
  if (absl::StrContains(words[0], '/')) {
    words[0] = AbsolutePath(words[0], base);
    if (!IsText(words[0], path, section.findings())) return;
  }
  trainer.command = std::move(words);
}

}  // namespace

bool ReadPath(Section& section, const std::string& key, const std::string& base,
              std::string& path) {
  std::string text;
  if (!section.Read(key, text)) return false;
  if (text[0] == '~') {
    section.findings().ErrorAt(section.PathOf(key),
                               "~ is not expanded here; write the whole path, or one relative to "
                               "this file");
    return false;
  }
  path = AbsolutePath(text, base);
  return IsText(path, section.PathOf(key), section.findings());
}

void ReadTrainer(Section& top, const std::string& base, TrainerSpec& trainer) {
  Section section = top.Sub("trainer");
  ReadCommand(section, base, trainer);
  Presence presence;
  const Node* parameters = section.Child("parameters", presence);
  if (parameters != nullptr) {
    const std::string path = section.PathOf("parameters");
    if (parameters->kind == NodeKind::kMap) {
      ReportDoubledKeys(*parameters, path, section.findings());
      trainer.parameters = ToJson(*parameters);
    } else {
      section.findings().ErrorAt(path, absl::StrCat("expected a section, ", Found(*parameters)));
    }
  }
  section.Finish();
}

void ReadModel(Section& top, const std::string& base, ExperimentSpec& spec) {
  Section section = top.Sub("model");
  if (!section.present()) {
    if (!top.findings().Failed("model")) {
      top.Missing("model", "Give model: {base: DIRECTORY or FILE.gguf}");
    }
    return;
  }
  ModelSpec model;
  if (!ReadPath(section, "base", base, model.base) && !top.findings().Failed("model.base")) {
    section.Missing("base", "Give the directory of a Hugging Face model, or a .gguf file");
  }
  Presence presence;
  if (section.Child("fallback", presence) != nullptr) {
    ReadPath(section, "fallback", base, model.fallback);
  }
  section.Finish();
  spec.model = std::move(model);
}

void ReadData(Section& top, const std::string& base, ExperimentSpec& spec) {
  Section section = top.Sub("data");
  if (!section.present()) {
    if (!top.findings().Failed("data")) top.Missing("data", "Give data: {corpus: DIRECTORY}");
    return;
  }
  DataSpec data;
  if (!ReadPath(section, "corpus", base, data.corpus) && !top.findings().Failed("data.corpus")) {
    section.Missing("corpus", "Give the directory that holds documents/ and items/");
  }
  ReadSplit(section.Sub("split"), data.split);
  section.Read("max_length", data.max_length, {2, kMostTokens});
  section.Read("packing", data.packing);
  section.Read("special_tokens", data.special_tokens, Words{{"text", "parse"}});
  section.Read("end_token", data.end_token);
  section.Finish();
  spec.data = std::move(data);
}

void ReadLora(Section section, LoraSpec& lora) {
  section.Read("r", lora.r, {1, kHighestRank});
  section.Read("alpha", lora.alpha, kPositive);
  section.Read("dropout", lora.dropout, kBelowOne);
  section.Read(
      "target_modules", lora.target_modules,
      Words{{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}});
  section.Read("quantize_base", lora.quantize_base, Words{{"none"}, {"nf4"}});
  section.Finish();
}

void ReadOpaqueSections(Section& top, ExperimentSpec& spec) {
  spec.opaque_model = PassThrough(top, "model");
  spec.opaque_data = PassThrough(top, "data");
  spec.opaque_lora = PassThrough(top, "lora");
}

void ReadTraining(Section section, TrainingSpec& training) {
  section.Read("learning_rate", training.learning_rate, kPositive);
  section.Read("schedule", training.schedule, Words{{"linear", "cosine", "constant"}});
  section.Read("batch_size", training.batch_size, {1, 1 << 20});
  section.Read("gradient_accumulation", training.gradient_accumulation, {1, 1 << 20});
  section.Read("max_steps", training.max_steps, kCount);
  // A default must not make a short run impossible.
  training.warmup_steps = std::min(training.warmup_steps, training.max_steps);
  section.Read("warmup_steps", training.warmup_steps, kCountOrZero);
  section.Read("save_steps", training.save_steps, kCount);
  section.Read("eval_steps", training.eval_steps, kCount);
  section.Read("loss_on", training.loss_on, Words{{"answer", "all"}});
  section.Read("weight_decay", training.weight_decay, kNotNegative);
  section.Read("max_grad_norm", training.max_grad_norm, kPositive);
  Presence presence;
  Section stopping = section.Sub("early_stopping", presence);
  if (presence == Presence::kNone) training.early_stopping.reset();
  if (presence == Presence::kGiven) {
    stopping.Read("patience", training.early_stopping->patience, kCount);
    stopping.Read("min_delta", training.early_stopping->min_delta, kNotNegative);
    stopping.Finish();
  }
  section.Read("precision", training.precision, Words{{"bf16", "fp32"}, {"fp16"}});
  section.Finish();
}

}  // namespace scm::experiment_file
