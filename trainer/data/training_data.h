// A corpus as the training loop uses it: token examples to train on, and the validation set.
//
// Every item of the train split gives one example for each gold choice, with the end token behind
// it where `data.end_token` says so; validation asks for the choices alone. A conversation gives
// one example, the same in training and validation. With `training.loss_on: all` the prompt is
// predicted as well, and the documents of the train split are trained as plain text. Free of
// libtorch, so that scmctl can count what is trained.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "corpus/corpus.h"
#include "corpus/split.h"
#include "model/model_source.h"
#include "model/tokenizer.h"
#include "trainer/data/validation_set.h"
#include "trainer/protocol/spec.h"

namespace scm::trainer {

struct TrainingData {
  std::vector<TokenExample> train;
  ValidationSet validation;
  std::vector<std::string> warnings;  // what was cut or left out, for people
};

// Loads the corpus of `data` with all its checks; warnings are appended to `warnings`.
absl::StatusOr<corpus::Corpus> LoadJobCorpus(const DataSpec& data,
                                             std::vector<std::string>* warnings);
absl::StatusOr<corpus::SplitAssignment> SplitOf(const corpus::Corpus& corpus, const DataSpec& data);

// How texts become the examples that are scored; training adds the end token.
ExampleOptions ScoringOptions(const DataSpec& data);

// `model` renders the corpus's conversations, if it has any. INVALID_ARGUMENT when there is nothing
// to train on or nothing to validate on, or an item cannot be rendered or tokenised. Deterministic.
absl::StatusOr<TrainingData> MakeTrainingData(const JobSpec& spec, const corpus::Corpus& corpus,
                                              const corpus::SplitAssignment& split,
                                              const model::ModelSource& model,
                                              const model::Tokenizer& tokenizer);

}  // namespace scm::trainer
