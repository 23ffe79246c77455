#include "trainer/data/training_data.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rng.h"
#include "common/status_macros.h"
#include "corpus/loader.h"
#include "corpus/task_statistics.h"
#include "trainer/data/chat_examples.h"
#include "trainer/data/input_warnings.h"

namespace scm::trainer {
namespace {

constexpr size_t kListedProblems = 20;

absl::Status At(const corpus::Item& item, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(item.file, ":", item.line, ": item ", item.id,
                                                  ": ", status.message()));
}

// Counts what max_length cut away.
struct CutCounter {
  int64_t examples = 0, cut = 0, longest = 0;

  void See(const TokenExample& example) {
    ++examples;
    if (example.cut == 0) return;
    ++cut;
    longest = std::max(longest, static_cast<int64_t>(example.tokens.size()) + example.cut);
  }
  void Warn(const char* what, const char* lost, int64_t max_length,
            std::vector<std::string>* warnings) const {
    if (cut == 0) return;
    warnings->push_back(absl::StrCat(cut, " of ", examples, " ", what,
                                     " are longer than data.max_length ", max_length, " and lost ",
                                     lost, "; the longest has ", longest, " tokens"));
  }
};

class DataMaker {
 public:
  DataMaker(const JobSpec& spec, const corpus::Corpus& corpus, const corpus::SplitAssignment& split,
            const model::Tokenizer& tokenizer, const ChatEncoder* chat)
      : spec_(spec),
        corpus_(corpus),
        split_(split),
        tokenizer_(tokenizer),
        chat_(chat),
        scoring_(ScoringOptions(spec.data)),
        training_(scoring_) {
    training_.end_token = spec.data.end_token;
  }

  absl::StatusOr<TrainingData> Make() {
    SCM_RETURN_IF_ERROR(MakeTrain());
    SCM_RETURN_IF_ERROR(MakeValidation());
    return std::move(data_);
  }

 private:
  bool all_tokens() const { return spec_.training.loss_on == "all"; }

  absl::StatusOr<std::vector<TokenExample>> Choices(const corpus::Item& item,
                                                    const std::vector<std::string>& choices,
                                                    const ExampleOptions& options) {
    auto examples = ChoiceExamples(tokenizer_, item.prompt, choices, options);
    if (!examples.ok()) return At(item, examples.status());
    return examples;
  }

  absl::StatusOr<TokenExample> Conversation(const corpus::Item& item) {
    std::vector<model::ChatMessage> messages;
    for (const corpus::Message& turn : item.messages) messages.push_back({turn.role, turn.content});
    auto example = chat_->Encode(messages, training_);
    if (!example.ok()) return At(item, example.status());
    return example;
  }

  // What is learnt of an item, without the end token unless `options` say so.
  absl::StatusOr<std::vector<TokenExample>> Learnt(const corpus::Item& item,
                                                   const ExampleOptions& options) {
    if (!item.is_conversation()) return Choices(item, GoldChoices(item), options);
    SCM_ASSIGN_OR_RETURN(TokenExample example, Conversation(item));
    return std::vector<TokenExample>{std::move(example)};
  }

  static std::vector<std::string> GoldChoices(const corpus::Item& item) {
    std::vector<std::string> gold;
    for (int64_t index : item.gold) gold.push_back(item.choices[static_cast<size_t>(index)]);
    return gold;
  }

  // The texts of one split's documents, every token predicted.
  absl::StatusOr<std::vector<TokenExample>> Documents(corpus::Split split,
                                                      const ExampleOptions& options) {
    std::vector<TokenExample> examples;
    for (size_t i = 0; i < corpus_.documents.size(); ++i) {
      if (split_.documents[i] != split) continue;
      SCM_ASSIGN_OR_RETURN(std::vector<TokenExample> pieces,
                           TextExamples(tokenizer_, corpus_.documents[i].text, options));
      std::move(pieces.begin(), pieces.end(), std::back_inserter(examples));
    }
    return examples;
  }

  absl::Status MakeTrain() {
    CutCounter cuts, cut_talks;
    for (size_t index :
         corpus::ItemsOf(corpus_, split_, corpus::Split::kTrain, spec_.trainer.train_tasks)) {
      const corpus::Item& item = corpus_.items[index];
      SCM_ASSIGN_OR_RETURN(std::vector<TokenExample> examples, Learnt(item, training_));
      for (TokenExample& example : examples) {
        (item.is_conversation() ? cut_talks : cuts).See(example);
        if (all_tokens()) {
          example.answer_start = 1;
          example.predicted.clear();
        }
        data_.train.push_back(std::move(example));
      }
    }
    if (all_tokens()) {
      SCM_ASSIGN_OR_RETURN(std::vector<TokenExample> texts,
                           Documents(corpus::Split::kTrain, training_));
      std::move(texts.begin(), texts.end(), std::back_inserter(data_.train));
    }
    WarnOfCuts("training", cuts, cut_talks);
    if (!data_.train.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        spec_.data.corpus, ": the train split holds nothing to train on",
        spec_.trainer.train_tasks.empty()
            ? "; check data.split"
            : absl::StrCat(" of the tasks ", absl::StrJoin(spec_.trainer.train_tasks, ", "))));
  }

  void WarnOfCuts(const char* where, const CutCounter& questions, const CutCounter& talks) {
    questions.Warn(absl::StrCat(where, " examples").c_str(), "the beginning of their prompt",
                   spec_.data.max_length, &data_.warnings);
    talks.Warn(absl::StrCat(where, " conversations").c_str(), "their end", spec_.data.max_length,
               &data_.warnings);
  }

  // A large validation split is sampled, the same for every run: it must not slow training down.
  std::vector<size_t> ValidationItems() {
    std::vector<size_t> items =
        corpus::ItemsOf(corpus_, split_, corpus::Split::kValidation, spec_.trainer.train_tasks);
    const size_t limit = static_cast<size_t>(spec_.trainer.max_validation_items);
    if (items.size() <= limit) return items;
    data_.warnings.push_back(absl::StrCat("validation uses ", limit, " of ", items.size(),
                                          " items (trainer.parameters.max_validation_items)"));
    Philox rng(static_cast<uint64_t>(spec_.data.split.seed), "validation_sample");
    Shuffle(items, rng);
    items.resize(limit);
    std::sort(items.begin(), items.end());
    return items;
  }

  absl::Status MakeValidation() {
    CutCounter cuts, cut_talks;
    const std::vector<size_t> indices = ValidationItems();
    for (size_t index : indices) {
      const corpus::Item& item = corpus_.items[index];
      ValidationItem made;
      made.single_label = !item.multi_label && !item.is_conversation();
      if (made.single_label) {
        SCM_ASSIGN_OR_RETURN(made.choices, Choices(item, item.choices, scoring_));
      } else {
        SCM_ASSIGN_OR_RETURN(made.choices, Learnt(item, scoring_));
      }
      if (made.single_label) {
        made.gold = item.gold;
      } else {
        for (size_t i = 0; i < made.choices.size(); ++i)
          made.gold.push_back(static_cast<int64_t>(i));
      }
      for (const TokenExample& example : made.choices) {
        (item.is_conversation() ? cut_talks : cuts).See(example);
      }
      data_.validation.items.push_back(std::move(made));
    }
    if (indices.empty() && all_tokens()) {
      SCM_ASSIGN_OR_RETURN(std::vector<TokenExample> texts,
                           Documents(corpus::Split::kValidation, scoring_));
      for (TokenExample& text : texts) {
        ValidationItem made;
        made.choices.push_back(std::move(text));
        made.gold = {0};
        made.single_label = false;
        data_.validation.items.push_back(std::move(made));
      }
    }
    WarnOfCuts("validation", cuts, cut_talks);
    const corpus::ItemSetStatistics statistics = corpus::SingleLabelStatistics(corpus_, indices);
    data_.validation.chance = statistics.chance;
    data_.validation.deff = statistics.design_effect;
    if (!data_.validation.items.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(spec_.data.corpus,
                     ": the validation split is empty; a run without validation "
                     "can be neither judged nor stopped. Raise data.split.validation"));
  }

  const JobSpec& spec_;
  const corpus::Corpus& corpus_;
  const corpus::SplitAssignment& split_;
  const model::Tokenizer& tokenizer_;
  const ChatEncoder* chat_;
  const ExampleOptions scoring_;
  ExampleOptions training_;
  TrainingData data_;
};

}  // namespace

absl::StatusOr<corpus::Corpus> LoadJobCorpus(const DataSpec& data,
                                             std::vector<std::string>* warnings) {
  corpus::CorpusLoad load = corpus::LoadCorpus(data.corpus);
  for (const corpus::CorpusProblem& warning : load.warnings) {
    if (warnings->size() < kListedProblems)
      warnings->push_back(corpus::FormatCorpusProblem(warning));
  }
  if (load.ok()) return std::move(load.corpus);
  std::vector<std::string> lines;
  for (const corpus::CorpusProblem& error : load.errors) {
    if (lines.size() < kListedProblems) lines.push_back(corpus::FormatCorpusProblem(error));
  }
  const int64_t more =
      static_cast<int64_t>(load.errors.size() - lines.size()) + load.errors_left_out;
  if (more > 0) lines.push_back(absl::StrCat("… and ", more, " more"));
  return absl::InvalidArgumentError(
      absl::StrCat("the corpus ", data.corpus, " has errors:\n", absl::StrJoin(lines, "\n")));
}

absl::StatusOr<corpus::SplitAssignment> SplitOf(const corpus::Corpus& corpus,
                                                const DataSpec& data) {
  return corpus::AssignSplits(corpus, corpus::SplitOptions{data.split.train, data.split.validation,
                                                           data.split.test, data.split.seed});
}

ExampleOptions ScoringOptions(const DataSpec& data) {
  return {.max_length = data.max_length, .parse_special = data.special_tokens == "parse"};
}

absl::StatusOr<TrainingData> MakeTrainingData(const JobSpec& spec, const corpus::Corpus& corpus,
                                              const corpus::SplitAssignment& split,
                                              const model::ModelSource& model,
                                              const model::Tokenizer& tokenizer) {
  SCM_ASSIGN_OR_RETURN(const std::optional<ChatEncoder> chat,
                       ChatEncoderFor(corpus, model, tokenizer));
  SCM_ASSIGN_OR_RETURN(TrainingData data,
                       DataMaker(spec, corpus, split, tokenizer, chat ? &*chat : nullptr).Make());
  if (!chat) return data;
  for (std::string& warning : ChatWarnings(model, tokenizer, *chat, spec.data)) {
    data.warnings.push_back(std::move(warning));
  }
  return data;
}

}  // namespace scm::trainer
